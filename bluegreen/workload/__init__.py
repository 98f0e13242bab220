"""The sources of workloads: what the pods of a color are, as pure data. No Pulumi, no cluster, no HTTP.

The value of `bluegreen:workload` names the module of a source: a plain name is a module of this package, a dotted name a module
of your own. `base.Workload` is what it must offer. Only the source that is used is imported.
"""

from collections.abc import Iterator
from dataclasses import replace

from bluegreen.release import config_keys as keys
from bluegreen.release.config_reader import Problem, Workloads
from bluegreen.release.modules import UnknownModuleError, named
from bluegreen.release.settings import ColorSettings, ServiceSettings, Settings
from bluegreen.workload import services
from bluegreen.workload.base import Workload


def source(name: str) -> Workload:
    """The source of workloads that `name` leads to. Raises `UnknownModuleError` if there is none."""
    found: Workload = named(__name__, name, Workload, "a source of workloads")
    return found


def source_of(settings: Settings, color: ColorSettings) -> Workload:
    """The source of the pods of a color: `manifest` for a color with a snapshot, else what the settings name."""
    return source("manifest" if color.snapshot else settings.workload)


def _problems(settings: Settings) -> Iterator[Problem]:
    """Everything that is wrong with the settings for the sources of their colors."""
    try:
        source(settings.workload)
    except UnknownModuleError as error:
        allowed = "a source of workloads: settings, or a module of your own, such as my_team.pods"
        fix = f"{error}. Correct the name: pulumi config set workload settings"
        yield Problem("bluegreen:workload", settings.workload, allowed, fix)
        return
    deployed = _deployed(settings)
    if found := [problem for color, workload in deployed for problem in workload.problems(color)]:
        yield from found
    elif deployed:
        yield from services.problems(deployed)


def _completed(settings: Settings) -> Settings:
    """The settings with what the sources know of the colors, the Services that they share, and the labels of their pods."""
    deployed = _deployed(settings)
    colors = {name: source_of(settings, color).completed(color) for name, color in settings.service.colors.items()}
    return replace(settings, service=replace(_served(settings, deployed), colors=colors))


def _placed(settings: Settings) -> Settings:
    """The settings with the Services as far as they are known. A color is left out if its source cannot name them."""
    try:
        source(settings.workload)
    except UnknownModuleError:
        settings = replace(settings, workload=keys.WORKLOAD.default)
    known = [(color, workload) for color, workload in _deployed(settings) if _can_name_services(color, workload)]
    return replace(settings, service=_served(settings, known))


def _can_name_services(color: ColorSettings, workload: Workload) -> bool:
    """Whether a source can name the Services of a color. Other problems of a manifest do not matter in an emergency."""
    try:
        return bool(workload.services(color))
    except Exception:  # a source may fail in any way while there are problems
        return False


def _served(settings: Settings, deployed: services.Deployed) -> ServiceSettings:
    labels = {name: source_of(settings, color).selector(color) for name, color in settings.service.colors.items()}
    if not deployed:
        return replace(settings.service, labels=labels)
    return replace(settings.service, port=services.port(deployed), shared=services.shared(deployed), labels=labels)


def _deployed(settings: Settings) -> services.Deployed:
    """The deployed colors with their sources, the active color first."""
    found = sorted(settings.service.colors.values(), key=lambda color: color.name != settings.active_color)
    return [(color, source_of(settings, color)) for color in found]


WORKLOADS = Workloads(problems=_problems, completed=_completed, placed=_placed)
"""What the reader of the config needs to know about sources of workloads."""

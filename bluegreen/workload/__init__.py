"""The sources of workloads: what the pods of a color are, as pure data. No Pulumi, no cluster, no HTTP.

The value of `bluegreen:workload` names the module of a source: a plain name is a module of this package, a dotted name a module
of your own. `base.Workload` is what it must offer. Only the source that is used is imported.
"""

from collections.abc import Iterator

from bluegreen.release.config_reader import Problem
from bluegreen.release.modules import UnknownModuleError, named
from bluegreen.release.settings import ColorSettings, Settings
from bluegreen.workload.base import Workload


def source(name: str) -> Workload:
    """The source of workloads that `name` leads to. Raises `UnknownModuleError` if there is none."""
    found: Workload = named(__name__, name, Workload, "a source of workloads")
    return found


def source_of(settings: Settings, color: ColorSettings) -> Workload:
    """The source of the pods of a color: `manifest` for a color with a snapshot, else what the settings name."""
    return source("manifest" if color.snapshot else settings.workload)


def problems(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the source of workloads that the settings name."""
    try:
        source(settings.workload)
    except UnknownModuleError as error:
        allowed = "a source of workloads: settings, or a module of your own, such as my_team.pods"
        fix = f"{error}. Correct the name: pulumi config set workload settings"
        yield Problem("bluegreen:workload", settings.workload, allowed, fix)

"""The sources of workloads: what the pods of a color are, as pure data. No Pulumi, no cluster, no HTTP.

The value of `bluegreen:workload` names the module of a source: a plain name is a module of this package, a dotted name a module
of your own. `base.Workload` is what it must offer. Only the source that is used is imported.
"""

from collections.abc import Iterator
from typing import cast

from bluegreen.release.config_reader import Problem
from bluegreen.release.modules import named
from bluegreen.release.settings import Settings
from bluegreen.workload.base import Workload

_MEMBERS = ("main_container", "objects", "pod_template_hashes")


def source(name: str) -> Workload:
    """The source of workloads that `name` leads to. Raises `ImportError` if there is none."""
    return cast(Workload, named(__name__, name))


def problems(settings: Settings) -> Iterator[Problem]:
    """What is wrong with the source of workloads that the settings name."""
    try:
        found, why = source(settings.workload), ""
    except ImportError as error:
        found, why = None, str(error)
    if missing := [member for member in _MEMBERS if not hasattr(found, member)]:
        why = why or f"The module has no {', '.join(missing)}"
        allowed = "a source of workloads: settings, or a module of your own, such as my_team.pods"
        fix = f"{why}. Correct the name: pulumi config set workload settings"
        yield Problem("bluegreen:workload", settings.workload, allowed, fix)

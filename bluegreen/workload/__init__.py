"""What the pods of a color are. One module for each source, named like the value of `bluegreen:workload`."""

from typing import cast

from bluegreen.release.modules import named
from bluegreen.workload.base import Workload


def source(name: str) -> Workload:
    """The source of workloads that the config names. Raises `ModuleNotFoundError` if there is none."""
    return cast(Workload, named(__name__, name))

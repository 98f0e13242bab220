"""The routing layers: how users and testers reach a color, as pure data. No Pulumi, no cluster, no HTTP.

The value of `bluegreen:routing` names the module of a layer: a plain name is a module of this package, a dotted name a module
of your own. `base.Layer` is what it must offer. Only the layer that is used is imported.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Layers, Problem
from bluegreen.release.modules import UnknownModuleError, named
from bluegreen.release.settings import Settings
from bluegreen.routing.base import Layer

BUILT_IN = ("istio", "selector")
DEFAULT = "istio"


def find(name: str) -> Layer:
    """The layer that `name` leads to; the default one if it is empty. Raises `UnknownModuleError`."""
    layer: Layer = named(__name__, name or DEFAULT, Layer, "a routing layer")
    return layer


def _own_keys(name: str) -> Iterable[Key[Any]]:
    try:
        return find(name).KEYS
    except UnknownModuleError:  # `_problems` reports it
        return ()


def _problems(settings: Settings) -> Iterator[Problem]:
    """Everything that is wrong with the settings for the routing layer that they name."""
    try:
        layer = find(settings.routing)
    except UnknownModuleError as error:
        allowed = f"a routing layer: {', '.join(BUILT_IN)}, or a module of your own, such as my_team.consul"
        yield Problem("bluegreen:routing", settings.routing, allowed, f"{error}. Correct the name: pulumi config set routing")
        return
    yield from layer.problems(settings)


LAYERS = Layers(keys=_own_keys, problems=_problems)
"""What the reader of the config needs to know about routing layers."""

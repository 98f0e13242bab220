"""The route as data: which objects it consists of, who gets which color by it, and what the program writes into it.

One module for each routing layer, named like the value of `bluegreen:routing`. No Pulumi, no cluster.
"""

from collections.abc import Mapping

from bluegreen.routing import istio, selector
from bluegreen.routing.base import Layer

LAYERS: Mapping[str, Layer] = {"istio": istio, "selector": selector}

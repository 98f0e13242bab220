"""What a routing layer offers to the rules and to the command, and how it reads data that may hold anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bluegreen.release.objects import Object, Ref
from bluegreen.release.traffic import NOBODY, Traffic


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Who gets which color, as the live route says.

    `traffic` names nobody as far as the route names no color. `may_serve` holds every color that any user may get, or is None
    if the route does not say. `foreign` describes what in the route this program did not write, if it decides about users; it
    is empty if there is nothing of the kind.
    """

    traffic: Traffic = NOBODY
    may_serve: frozenset[str] | None = frozenset()
    foreign: str = ""


Operations = list[dict[str, Any]]
"""A JSON Patch (RFC 6902)."""


class Layer(Protocol):
    """What each module of this package offers."""

    def objects(self, app: str) -> tuple[Ref, ...]:
        """The objects of the route. The first one decides about users, and is there as long as users are served."""
        ...

    def read(self, app: str, found: Sequence[Object | None]) -> Reading:
        """Who gets which color. `found` has the objects in the order of `objects`, None for each that does not exist.

        Never raises, whatever the objects hold.
        """
        ...

    def move(self, app: str, found: Sequence[Object | None], users: str, testers: str) -> list[Operations]:
        """What sends users to the color `users` and testers to `testers` (empty: they are left alone), for each object.

        It replaces what this program writes, and keeps everything else. Without operations an object stays as it is.
        """
        ...

    def parts(self, app: str) -> tuple[Ref, ...]:
        """Other objects without which the route leads nowhere."""
        ...

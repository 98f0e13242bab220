"""What a routing layer offers to the rules and to the command, and how it reads data that may hold anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bluegreen.release.objects import Object, Ref


@dataclass(frozen=True, kw_only=True)
class Roles:
    """Who gets which color, as the route says.

    `active` is the color of the users, or of most of them; `test` that of the testers. Each is empty if the route names none.
    `served` holds every color that any user may get, or is None if the route does not say. `foreign` describes what this
    program did not write and what decides about users; it is empty if there is nothing of the kind.
    """

    active: str = ""
    test: str = ""
    served: frozenset[str] | None = frozenset()
    foreign: str = ""


Operations = list[dict[str, Any]]
"""A JSON Patch (RFC 6902)."""


class Layer(Protocol):
    """What each module of this package offers."""

    def objects(self, app: str) -> tuple[Ref, ...]:
        """The objects of the route. The first one decides about users, and is there as long as users are served."""
        ...

    def read(self, app: str, found: Sequence[Object | None]) -> Roles:
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

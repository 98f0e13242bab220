"""Who gets which color: the one idea that a release changes. Plain data; nothing is decided here."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bluegreen.release.colors import COLORS


class Move(NamedTuple):
    """Users move from the color `origin` to the color `target`."""

    origin: str
    target: str

    def __str__(self) -> str:
        return f"users from {self.origin} to {self.target}"


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Who gets which color.

    `users` are the percents of the users who get a color, by color; they sum to 100, or there are none. `testers` is the color
    of the testers, or empty. Raises `ValueError` for percents that do not sum to 100.
    """

    users: Mapping[str, int] = field(default_factory=dict)
    testers: str = ""

    def __post_init__(self) -> None:
        if self.users and sum(self.users.values()) != 100:
            raise ValueError(f"The shares of the users do not sum to 100 %: {dict(self.users)}")

    @classmethod
    def to(cls, users: str, testers: str = "") -> "Traffic":
        """All users on the color `users`, or nobody if it is empty."""
        return cls(users={users: 100} if users else {}, testers=testers)

    @classmethod
    def split(cls, weights: Mapping[str, float], testers: str = "") -> "Traffic":
        """Users by the weights of the colors, rounded to percents. Every color gets at least 1 %: nobody may overlook it.

        The colors stand in the order of their weights, and in that of `COLORS` where these are equal.
        """
        if not weights:
            return cls(testers=testers)
        order = sorted(weights, key=lambda color: (-weights[color], COLORS.index(color)))
        total = sum(weights.values())
        shares = {color: max(1, round(100 * weights[color] / total)) if total else 100 // len(order) for color in order}
        return cls(users=shares | {order[0]: shares[order[0]] + 100 - sum(shares.values())}, testers=testers)

    @property
    def active(self) -> str:
        """The color of the users, or of most of them; empty if they get none."""
        return max(self.users, key=lambda color: self.users[color], default="")


NOBODY = Traffic()


def move(before: Traffic, after: Traffic, may_serve: Collection[str] = ()) -> Move | None:
    """How users move from `before` to `after`; None if they stay, or nobody was served.

    If `before` does not say where users are, they are on one of the colors `may_serve`.
    """
    origins = [before.active] if before.active else sorted(set(may_serve) - {after.active})
    return Move(origins[0], after.active) if origins and origins[0] != after.active else None

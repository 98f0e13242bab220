"""What a subcommand of `bluegreen` may change: what it is about, and nothing else.

A config file may be behind what another checkout has deployed since, and the command waits for its turn after it has read the
file. So the command states what it is about in a variable of its environment, which the program inherits, and the program
compares that with what is live when the update runs. `bluegreen up` and `pulumi up` state nothing and may change anything.

Plain functions over plain data: no Pulumi, no cluster.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from bluegreen.release.colors import COLORS
from bluegreen.release.live import Live
from bluegreen.release.refusals import Refusal, Rule

VARIABLE = "BLUEGREEN_ABOUT"

# Takes who is active and which images run from the last good update, so it may change everything else.
_FROM_STATE = "up --from-state"

# May move users to their color / change the pods of their color.
_MOVE_USERS = ("activate", "rollback")
_CHANGE_PODS = ("deploy",)
# Deploy and remove what the manifest of their color describes.
_CHANGE_MANIFESTS = ("deploy", "decommission")
# May write objects of their color / the route.
_WRITE_COLOR = ("deploy", "scale", "decommission")
_WRITE_ROUTE = ("test", "activate", "rollback", "decommission")
_VERBS = {*_WRITE_COLOR, *_WRITE_ROUTE}

_REMEDY = (
    "This checkout is behind what was deployed since, or has edits of its own. Update it (git pull), or start "
    "from what was deployed last (--from-state), and run the command again. If the change is meant: bluegreen plan, then "
    "bluegreen up."
)

_REMEDY_FROM_STATE = (
    "Another update has ended since this command read the last good one: run it again. If that does not help, the environment "
    "is not what the last good update made of it. bluegreen status shows it; bluegreen deploy, test and activate change it."
)


@dataclass(frozen=True, kw_only=True)
class About:
    """A subcommand and its color. As text it is "deploy blue"; "up --from-state" has no color."""

    verb: str
    color: str = ""

    @classmethod
    def given(cls, environment: Mapping[str, str]) -> "About | None":
        """What the variable in `environment` states; None without one. Raises `ValueError` when it states something else."""
        text = environment.get(VARIABLE, "")
        if not text:
            return None
        if text == _FROM_STATE:
            return FROM_STATE
        verb, _, color = text.partition(" ")
        if verb not in _VERBS or color not in COLORS:
            raise ValueError(f"{VARIABLE} is {text!r}. It must be a subcommand and a color, such as 'deploy blue', or not set.")
        return cls(verb=verb, color=color)

    def __str__(self) -> str:
        return f"{self.verb} {self.color}".rstrip()

    @property
    def may_move_users(self) -> bool:
        """Whether the subcommand moves users to its color."""
        return self.verb in _MOVE_USERS

    @property
    def may_change_manifests(self) -> bool:
        """Whether the subcommand deploys or removes a color, and so what its manifest says about the Services."""
        return self.verb in _CHANGE_MANIFESTS

    def may_write(self, color: str | None, *, is_route: bool) -> bool:
        """Whether the subcommand is about an object of `color`, or one that belongs to no color."""
        if self.verb == _FROM_STATE:
            return True
        if color is not None:
            return color == self.color and self.verb in _WRITE_COLOR
        return is_route and self.verb in _WRITE_ROUTE


FROM_STATE = About(verb=_FROM_STATE)


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an update would do, as far as it is known before anything is written.

    `users` and `testers` are (from, to) when they move, with "" for nobody; the others are names of colors: whose pods are
    made anew, which of these get another image, which are removed, and which lose their autoscaler.
    """

    users: tuple[str, str] | None = None
    testers: tuple[str, str] | None = None
    pods: Collection[str] = ()
    images: Collection[str] = ()
    removed: Collection[str] = ()
    unscaled: Collection[str] = ()


def beyond(about: About | None, live: Live, change: Change) -> Iterator[Refusal]:
    """Refuses an update that does more than its subcommand is about. The first installation may do anything."""
    if about is None or not live.serving:
        return
    if more := [*_more(about, live, change)]:
        yield refusal(about, " and ".join(more), said(live))


def refusal(about: About, more: str, live: str) -> Refusal:
    """The refusal of `more`, which `about` does not cover."""
    remedy = _REMEDY_FROM_STATE if about == FROM_STATE else _REMEDY
    return Refusal(rule=Rule.ABOUT, asked=f"bluegreen {about}, but the config also asks for {more}", live=live, remedy=remedy)


def _more(about: About, live: Live, change: Change) -> Iterator[str]:
    if change.users and not (about.verb in _MOVE_USERS and change.users[1] == about.color):
        yield f"users from {change.users[0]} to {change.users[1]}"
    if change.testers and not _may_move_testers(about, *change.testers):
        yield "testers from {} to {}".format(*(color or "nobody" for color in change.testers))
    for name in change.images if about == FROM_STATE else change.pods:
        if not (name == about.color and about.verb in _CHANGE_PODS):
            yield f"new pods of {name}" if name in live.colors else f"a deployment of {name}"
    for name in change.removed:
        if not (name == about.color and about.verb == "decommission"):
            yield f"the removal of {name}"
    for name in () if about == FROM_STATE else change.unscaled:
        if not (name == about.color and about.verb in _WRITE_COLOR):
            yield f"no autoscaler for {name}"


def _may_move_testers(about: About, old: str, new: str) -> bool:
    if about.verb in _MOVE_USERS:
        return True
    if about.verb == "decommission":
        return old == about.color and not new
    return about.verb == "test" and new == about.color


def said(live: Live) -> str:
    """What is live, in words."""
    colors = ", ".join(f"{name} runs {color.image}" for name, color in sorted(live.colors.items()))
    return f"{live.users}, testers on {live.test or 'no color'}; {colors or 'no color is deployed'}"

"""The rules of a release by their sentences, and a refusal in words. docs/reference/rules.md explains each with its test.

The rules that config alone can break (an active color that is not deployed, a test color that is the active one) are in
`config_reader.py`.
"""

from dataclasses import dataclass
from enum import StrEnum

EXCEPTIONS = (
    "adopt",
    "change-live",
    "less-room",
    "overwrite-route",
    "remove-live",
    "share-host",
    "switch-and-change",
    "unready",
    "unread",
)
"""What `bluegreen:allow` takes. `unread` lets an update go on when the cluster cannot be read."""


class Rule(StrEnum):
    """Every rule that what is live can break."""

    ONE_OWNER = "an environment has one owner"
    LIVE_STAYS = "the pods of the live color do not change in place"
    WAY_BACK = "the color that served until now is not removed in the update that moves users away from it"
    RUNS_ALREADY = "users move only to a color that runs already"
    NEVER_BOTH = "one update moves users or changes pods, never both"
    SAME_IMAGE = "users move only to a color that runs this very image"
    READY = "users move only to a color that is ready"
    ROOM = "users move only to a color with at least as many ready pods as the color they leave"
    ABOUT = "a subcommand changes what it is about and nothing else"
    OWN_HOST = "a host leads to one environment"
    APPROVED = "a promotion names what it approves"
    ROUTE_KEPT = "what somebody else wrote into the route is not overwritten"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an update is not made. `exception` is the word for `bluegreen:allow` that makes it all the same, or empty."""

    rule: str
    asked: str
    live: str
    remedy: str
    exception: str = ""

    def __str__(self) -> str:
        lines = [f"Refused by the rule: {self.rule}", f"  asked:  {self.asked}", f"  live:   {self.live}"]
        lines += [f"  remedy: {self.remedy}"]
        if self.exception:
            lines += [f"  If you mean it: add {self.exception} to bluegreen:allow."]
        return "\n".join(lines)

"""The rules of a release by their codes and sentences, and a refusal as a value. docs/reference/rules.md explains them.

A message is for people and may change at any time. What a machine reads is the code in it, such as `[bluegreen:READY]`: the
program writes it by `mark`, and the command reads it back by `code_of`. The exit status of the command comes from the code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

EXCEPTIONS = (
    "adopt",
    "change-live",
    "less-room",
    "overwrite-route",
    "remove-live",
    "share-host",
    "shared-volume",
    "switch-and-change",
    "unready",
    "unread",
)
"""What `bluegreen:allow` takes. `unread` lets an update go on when the cluster cannot be read."""


class Rule(StrEnum):
    """Every rule that what is live can break. Config alone can break others; their code is `Fault.CONFIG`."""

    ONE_OWNER = "ONE_OWNER"
    LIVE_STAYS = "LIVE_STAYS"
    WAY_BACK = "WAY_BACK"
    RUNS_ALREADY = "RUNS_ALREADY"
    NEVER_BOTH = "NEVER_BOTH"
    SAME_IMAGE = "SAME_IMAGE"
    READY = "READY"
    ROOM = "ROOM"
    ABOUT = "ABOUT"
    OWN_HOST = "OWN_HOST"
    APPROVED = "APPROVED"
    LAST_RELEASE = "LAST_RELEASE"
    ROUTE_KEPT = "ROUTE_KEPT"

    @property
    def sentence(self) -> str:
        """The rule in words."""
        return SENTENCES[self]


SENTENCES: Mapping[Rule, str] = {
    Rule.ONE_OWNER: "an environment has one owner",
    Rule.LIVE_STAYS: "the pods of the live color do not change in place",
    Rule.WAY_BACK: "the color that served until now is not removed in the update that moves users away from it",
    Rule.RUNS_ALREADY: "users move only to a color that runs already",
    Rule.NEVER_BOTH: "one update moves users or changes pods, never both",
    Rule.SAME_IMAGE: "users move only to a color that runs this very image",
    Rule.READY: "users move only to a color that is ready",
    Rule.ROOM: "users move only to a color with at least as many ready pods as the color they leave",
    Rule.ABOUT: "a subcommand changes what it is about and nothing else",
    Rule.OWN_HOST: "a host leads to one environment",
    Rule.APPROVED: "a promotion names what it approves",
    Rule.LAST_RELEASE: "only a release that users were on is the last release",
    Rule.ROUTE_KEPT: "what somebody else wrote into the route is not overwritten",
}


class Fault(StrEnum):
    """Why an update fails without breaking a rule, as far as the command ends in a way of its own then."""

    CONFIG = "CONFIG"
    """The config cannot be used; nothing was changed."""

    NOT_SERVED = "NOT_SERVED"
    """The route was written, and its color did not serve users in time (`bluegreen:verify`)."""


Code = Rule | Fault

_MARK = re.compile(rf"\[bluegreen:({'|'.join([*Rule, *Fault])})\]")


def mark(code: Code) -> str:
    """A code as it stands in the first line of a message."""
    return f"[bluegreen:{code}]"


def code_of(message: str) -> Code | None:
    """The code in the first line of a message, None if it has none. Logs of pods may follow in the other lines."""
    found = _MARK.search(message.strip().partition("\n")[0])
    if not found:
        return None
    return Rule(found[1]) if found[1] in SENTENCES else Fault(found[1])


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why an update is not made. `exception` is the word for `bluegreen:allow` that makes it all the same, or empty."""

    rule: Rule
    asked: str
    live: str
    remedy: str
    exception: str = ""

    def __str__(self) -> str:
        lines = [f"Refused {mark(self.rule)}: {self.rule.sentence}", f"  asked:  {self.asked}", f"  live:   {self.live}"]
        lines += [f"  remedy: {self.remedy}"]
        if self.exception:
            lines += [f"  If you mean it: add {self.exception} to bluegreen:allow."]
        return "\n".join(lines)

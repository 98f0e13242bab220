"""How a command ends: its exit status, and the error that carries one.

The status of an error that the program reports comes from the code in its message; see `release.refusals`.
"""

from enum import IntEnum
from typing import Self

from bluegreen.release.refusals import Code, Fault, Refusal, Rule


class Exit(IntEnum):
    """The exit statuses. 0 to 9 are Pulumi's own, with Pulumi's meanings; scripts rely on all of them."""

    OK = 0
    ERROR = 1
    CONFIG = 2
    AUTHENTICATION = 3
    RESOURCE = 4
    POLICY = 5
    STACK_NOT_FOUND = 6
    UNEXPECTED_CHANGES = 7
    CANCELLED = 8
    TIMEOUT = 9
    SMOKE_TEST_FAILED = 10
    ROLLED_BACK = 11
    LOCKED = 12
    REFUSED = 13


MEANINGS = {
    Exit.OK: "done, or nothing to do",
    Exit.ERROR: "any other error",
    Exit.CONFIG: "wrong config, option or argument",
    Exit.AUTHENTICATION: "not logged in to the backend, or the passphrase is wrong",
    Exit.RESOURCE: "a resource failed: a color did not become ready, a write was rejected",
    Exit.POLICY: "a policy pack forbids it",
    Exit.STACK_NOT_FOUND: "there is no such stack",
    Exit.UNEXPECTED_CHANGES: "something else changed than the command was about",
    Exit.CANCELLED: "canceled by Ctrl-C or a signal",
    Exit.TIMEOUT: "not ended in the time of --timeout",
    Exit.SMOKE_TEST_FAILED: "a smoke test failed, or the color did not serve in time",
    Exit.ROLLED_BACK: "the new color was worse than the old one, and users went back to the old one",
    Exit.LOCKED: "another update of the stack went on for longer than --wait",
    Exit.REFUSED: "refused by a rule of the release; nothing was changed",
}


class ReleaseError(Exception):
    """A command that cannot go on: its message says what happened, why, and what to do next."""

    def __init__(self, status: Exit, message: str, code: Code | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    def with_text(self, text: str) -> Self:
        """The same error with one more paragraph."""
        self.args = (f"{self}\n\n{text}".strip(),)
        return self


def status_of(code: Code) -> Exit:
    """The exit status of an update that failed with this code: every rule ends with `REFUSED`."""
    if isinstance(code, Rule):
        return Exit.REFUSED
    return {Fault.CONFIG: Exit.CONFIG, Fault.NOT_SERVED: Exit.SMOKE_TEST_FAILED}[code]


def refused(refusal: Refusal, outcome: str) -> ReleaseError:
    """The error for what a rule refuses; `outcome` says what was changed and where users are."""
    return ReleaseError(status_of(refusal.rule), f"{refusal}\n\n{outcome}", refusal.rule)


def no_pulumi() -> ReleaseError:
    """The error for a machine without the Pulumi CLI."""
    return ReleaseError(Exit.ERROR, "There is no pulumi on PATH. Install the Pulumi CLI; on the sandbox: . .sandbox/env")


def table() -> str:
    """The exit statuses as `--help` shows them."""
    return "\n".join(f"  {status:>2}  {meaning}" for status, meaning in MEANINGS.items())

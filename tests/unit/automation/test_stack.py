"""What the CLI ends with is what the command ends with."""

from pathlib import Path

import pytest
from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation import stack
from automation.outcomes import Exit
from automation.stack import Stack, UpdateError, _status, _words

VANISHED = "error: 2 errors occurred:\n\t1) open /s/.pulumi/locks/o/p/x/1-2.json: no such file or directory\n\t2) NotFound"


@pytest.mark.parametrize(
    ("code", "stderr", "status"),
    [
        (1, "error: anything", Exit.ERROR),
        (2, "error: unknown flag", Exit.CONFIG),
        (3, "error: login", Exit.AUTHENTICATION),
        (4, "error: a resource", Exit.RESOURCE),
        (5, "error: a policy", Exit.POLICY),
        (6, "error: no stack", Exit.STACK_NOT_FOUND),
        (7, "error: changes", Exit.UNEXPECTED_CHANGES),
        (8, "error: canceled", Exit.CANCELLED),
        (9, "error: timeout", Exit.TIMEOUT),
        (255, "panic", Exit.ERROR),
        (1, "error: no stack named 'x' found", Exit.STACK_NOT_FOUND),
        (255, "error: getting secrets manager: incorrect passphrase", Exit.AUTHENTICATION),
    ],
)
def test_a_status_of_pulumi_keeps_its_meaning(code: int, stderr: str, status: Exit) -> None:
    assert _status(create_command_error(CommandResult("", stderr, code))) is status


def test_what_the_cli_said_is_told_without_the_frame_around_it() -> None:
    error = create_command_error(CommandResult("Updating (prod):", "error: no such thing", 1))
    assert _words(str(error)) == "no such thing"


def stack_whose_updates_fail_with(errors: list[str], monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose updates fail with these errors in turn, and then no more."""

    class Failing:
        def __init__(self, *_: object) -> None: ...

        def run(self, *_: object) -> CommandResult:
            if errors:
                raise create_command_error(CommandResult("", errors.pop(0), 255))
            return CommandResult("Updated", "", 0)

    monkeypatch.setattr(stack, "Pulumi", Failing)
    return Stack("x", Path("Pulumi.x.yaml"), wait_seconds=5, timeout_seconds=5, show=lambda _: None)


def test_a_lock_given_back_while_the_cli_looks_at_it_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stack_whose_updates_fail_with([VANISHED], monkeypatch).up("why").text == "Updated"


def test_another_file_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UpdateError, match=r"index\.json"):
        stack_whose_updates_fail_with(["error: open /s/index.json: no such file or directory"], monkeypatch).up("why")

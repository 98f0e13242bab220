"""What the CLI ends with is what the command ends with."""

import pytest
from pulumi.automation import CommandResult
from pulumi.automation.errors import create_command_error

from automation.outcomes import Exit
from automation.stack import _status, _words


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

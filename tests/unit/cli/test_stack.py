"""What the CLI ends with is what the command ends with."""

from pathlib import Path

import pytest

from bluegreen.cli import stack
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.process import failure
from bluegreen.cli.stack import PastUpdate, Stack
from bluegreen.cli.updates import UpdateError
from tests.unit.cli.test_lock_holder import AZURE, FILE, GCS, S3


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
    assert failure("", stderr, code).status is status


def test_what_the_cli_printed_is_shown_without_its_prefix() -> None:
    assert str(failure("Updating (prod):", "error: no such thing", 1)) == "no such thing"
    assert str(failure("no such thing either\n", "", 1)) == "no such thing either"


def stack_whose_updates_fail_with(errors: list[str], monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose updates fail with these errors in turn, and then no more."""

    class Failing:
        def __init__(self, *_: object) -> None: ...

        def run(self, *_: object) -> str:
            if errors:
                raise failure("", errors.pop(0), 255)
            return "Updated"

    monkeypatch.setattr(stack, "Pulumi", Failing)
    return Stack("x", Path("Pulumi.x.yaml"), wait_seconds=5, timeout_seconds=5, show=lambda _: None)


@pytest.mark.parametrize("text", [FILE, AZURE, S3, GCS], ids=["files", "Azure", "S3", "Google Cloud"])
def test_a_lock_given_back_while_the_cli_looks_at_it_is_no_failure(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert stack_whose_updates_fail_with([text] * 3, monkeypatch).up("why").text == "Updated"


@pytest.mark.parametrize("cut_off", ["EOF", "unexpected EOF", "unexpected end of JSON input"])
def test_a_state_that_another_update_is_writing_is_read_again(cut_off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    unfinished = f"error: failed to load checkpoint: {cut_off}"
    assert stack_whose_updates_fail_with([unfinished] * 3, monkeypatch).up("why").text == "Updated"


@pytest.mark.parametrize("text", [S3, "error: failed to load checkpoint: EOF"], ids=["missing", "cut off"])
def test_an_object_that_stays_missing_or_cut_off_is_a_failure(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(UpdateError, match=r"NoSuchKey|EOF"):
        stack_whose_updates_fail_with([text] * 20, monkeypatch).up("why")


def test_at_the_end_of_the_waiting_it_is_said_who_holds_the_lock_what_is_known_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holder = "  s3://b/.pulumi/locks/x.json: created by ada@build-7 (pid 9) at 2026-11-21T02:30:38Z"
    locked = f"error: the stack is currently locked by 1 lock(s).\n{holder}"
    made = stack_whose_updates_fail_with([locked] * 20, monkeypatch)
    monkeypatch.setattr(made, "_wait_seconds", 0)
    with pytest.raises(ReleaseError) as raised:
        made.up("why")
    assert str(raised.value) == (
        "The stack x was locked for all of the 0 s that this command may wait: "
        "ada@build-7 (process 9) since 2026-11-21 02:30:38 UTC.\nNothing was changed.\n"
        "  known: process 9 runs, or ran, on another host: build-7\n"
        "  next: the same command later, or with a longer --wait. If you know that nobody works on the stack: "
        "pulumi cancel x, then this command again."
    )


def test_another_file_that_is_missing_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UpdateError, match=r"index\.json"):
        stack_whose_updates_fail_with(["error: open /s/index.json: no such file or directory"], monkeypatch).up("why")


ENTRY = {
    "kind": "update",
    "startTime": "2026-01-02T03:04:05.000Z",
    "message": "bluegreen activate green, by ada@build-7",
    "environment": {"git.author": "Ada"},
    "config": {
        "bluegreen:activeColor": {"value": "green", "secret": False},
        "blue:secretEnv": {"secret": True},
        "blue:env": {"value": '{"A":"b"}', "objectValue": {"A": "b"}, "secret": False},
    },
    "result": "succeeded",
    "endTime": "2026-01-02T03:04:08.000Z",
}


def test_an_entry_of_the_history_is_read_as_the_cli_prints_it() -> None:
    update = PastUpdate.of(ENTRY)
    assert update.end_time
    assert (update.kind, update.result, update.version) == ("update", "succeeded", 0)
    assert (update.end_time - update.start_time).total_seconds() == 3
    assert update.start_time.isoformat() == "2026-01-02T03:04:05"
    assert update.config == {"bluegreen:activeColor": "green", "blue:secretEnv": "", "blue:env": '{"A":"b"}'}


def test_an_entry_of_an_update_that_has_not_ended_has_no_end() -> None:
    assert PastUpdate.of({key: value for key, value in ENTRY.items() if key != "endTime"}).end_time is None

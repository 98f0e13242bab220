"""What the engine's events amount to."""

from typing import Any

import pytest

from bluegreen.cli.outcomes import Exit
from bluegreen.cli.updates import Record, UpdateError, stderr_of
from bluegreen.release.refusals import Fault, Rule, mark

ROUTE = "urn:pulumi:s::bluegreen::bluegreen:routing:Istio$kubernetes:networking.istio.io/v1:VirtualService::myapp-blue-green"
REFUSAL = f"Refused {mark(Rule.ONE_OWNER)}: an environment has one owner\n  asked: ..."


def begins(operation: str = "update", kind: str = "kubernetes:networking.istio.io/v1:VirtualService") -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": operation, "urn": ROUTE, "type": kind}}}


def ends() -> dict[str, Any]:
    return {"resOutputsEvent": begins()["resourcePreEvent"]}


def says(message: str, severity: str = "error") -> dict[str, Any]:
    return {"diagnosticEvent": {"message": message + "\n", "severity": severity}}


def record(*events: dict[str, Any]) -> Record:
    made = Record()
    for event in events:
        made.add(event)
    return made


def test_a_step_is_named_by_its_operation_its_kind_and_its_name() -> None:
    assert [str(step) for step in record(begins(), ends()).ended] == ["update VirtualService/myapp-blue-green"]


def test_what_stays_the_same_is_no_step() -> None:
    assert record(begins("same"), begins("refresh"), begins("read")).began == []


@pytest.mark.parametrize(
    ("events", "has_changed"),
    [
        ([], False),
        ([says(REFUSAL)], False),
        ([begins("create", "bluegreen:components:Color"), says("boom")], False),
        ([begins(), says("the API server went away")], True),
        ([begins(), says(REFUSAL)], False),
        ([begins(), ends(), begins(), says(REFUSAL)], True),
    ],
    ids=["nothing", "refused", "no object", "an unknown end", "refused by the hook", "refused after another step"],
)
def test_whether_anything_may_have_been_written(events: list[dict[str, Any]], has_changed: bool) -> None:
    assert record(*events).has_changed is has_changed


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ([says(REFUSAL)], Exit.REFUSED),
        ([says(f"The config has 2 errors {mark(Fault.CONFIG)}. Nothing was changed.")], Exit.CONFIG),
        ([begins(), says("myapp-green did not become ready in 9 s")], Exit.RESOURCE),
        ([says("anything else")], Exit.ERROR),
    ],
    ids=["refused", "config", "resource", "other"],
)
def test_a_failure_ends_with_the_status_of_its_cause(events: list[dict[str, Any]], status: Exit) -> None:
    error = UpdateError(Exit.ERROR, "what the CLI said", record(*events))
    assert error.status is status
    assert "what the CLI said" not in str(error)


def test_what_is_said_for_the_moment_is_shown_and_no_error() -> None:
    made = Record()
    event = {"diagnosticEvent": {"message": "blue: 1 of 2 pods are ready\n", "severity": "info", "ephemeral": True}}
    assert made.add(event) == "blue: 1 of 2 pods are ready"
    assert made.errors == []


def test_what_the_program_wrote_to_stderr_is_known_from_what_the_engine_says() -> None:
    assert stderr_of(says("enter ABCD", "info#err")) == "enter ABCD"
    assert [stderr_of(event) for event in (says("enter ABCD", "info"), says("bad"), begins())] == ["", "", ""]


def test_that_the_program_ended_with_an_error_is_no_news() -> None:
    assert record(says("an unhandled error occurred: program exited with non-zero exit code: 1")).errors == []

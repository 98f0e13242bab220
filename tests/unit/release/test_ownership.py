"""An environment has one owner, and a stack that was renamed is still that one."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen import backend
from bluegreen.backend import BackendError
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.metadata import OWNER
from bluegreen.release.ownership import Evidence, foreign
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.traffic import Traffic
from bluegreen.release.transition import Wanted, WantedColor, transition
from bluegreen.release.writes import creation

OLD, NEW = "acme/bluegreen/old", "acme/bluegreen/new"
LIVE = Live(
    traffic=Traffic.to("blue"),
    route_owner=OLD,
    route_uid="uid-of-the-route",
    colors={"blue": LiveColor(image="shop:1", template="1", owner=OLD, uid="uid-of-blue")},
)
RENAMED = Evidence(stacks={OLD: False}, recorded={"uid-of-the-route", "uid-of-blue", "uid-of-the-service"})


def refusals(evidence: Evidence, live: Live = LIVE, owner: str = NEW) -> tuple[Refusal, ...]:
    wanted = Wanted(
        owner=owner, traffic=Traffic.to("blue"), colors={"blue": WantedColor(image="shop:1", template="1")}, evidence=evidence
    )
    return transition(live, wanted).refusals


def test_a_stack_whose_state_records_the_objects_and_whose_old_name_is_gone_was_renamed() -> None:
    assert refusals(RENAMED) == ()


def test_a_renamed_stack_that_was_stopped_between_two_objects_goes_on() -> None:
    assert refusals(RENAMED, replace(LIVE, route_owner=NEW)) == ()


# What the backend says, and words of the remedy.
REFUSED = {
    "a copy of a state that exists still": (replace(RENAMED, stacks={OLD: True}), f"pulumi stack select {OLD}."),
    "another stack": (Evidence(stacks={OLD: True}), f"pulumi stack select {OLD}."),
    "a stack that is gone, with other objects": (Evidence(stacks={OLD: False}), "does not record these objects"),
    "an object that was made anew since": (replace(RENAMED, recorded={"uid-of-blue"}), "does not record these objects"),
    "a backend that does not say": (replace(RENAMED, stacks={}), f"use {OLD}, if it exists (pulumi stack ls --all)"),
    "a backend that was not asked": (Evidence(), "pulumi stack ls --all"),
}


@pytest.mark.parametrize(("evidence", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_not_proven_is_refused_with_a_way_that_exists(evidence: Evidence, words: str) -> None:
    (refusal,) = refusals(evidence)
    assert (refusal.rule, refusal.exception) == (Rule.ONE_OWNER, "adopt")
    assert words in refusal.remedy
    assert ("pulumi stack select" in refusal.remedy) is (evidence.stacks.get(OLD) is True)


def test_a_stack_of_another_organization_is_never_a_renamed_one() -> None:
    """A backend hides the stacks of organizations that a person has no access to, and another backend is not asked."""
    assert refusals(RENAMED, owner="organization/bluegreen/new") != ()


@pytest.mark.parametrize("live", [replace(LIVE, route_uid=""), replace(LIVE, route_owner="")], ids=["uid", "owner"])
def test_an_object_without_a_uid_or_an_owner_proves_nothing(live: Live) -> None:
    assert refusals(replace(RENAMED, recorded={*RENAMED.recorded, ""}), live) != ()


def test_without_a_route_the_deployments_decide() -> None:
    assert [each.what for each in foreign(replace(LIVE, route_owner=None), NEW)] == ["the Deployment of blue"]


@pytest.mark.parametrize(
    ("exists", "words"), [(True, f"pulumi stack select {OLD}"), (False, "has no stack"), (None, "if it exists")]
)
def test_an_object_of_another_stack_is_not_created_again(exists: bool | None, words: str) -> None:
    (refusal,) = creation("Service shop", {"metadata": {"annotations": {OWNER: OLD}}}, NEW, exists)
    assert words in refusal.remedy


def cli(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a `pulumi` on PATH that runs `script`, which finds the name of the stack in $4."""
    file = directory / "pulumi"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


STATE = {"deployment": {"resources": [{"outputs": {"metadata": {"uid": "u1"}}}, {"outputs": None}, {}, "?", {"outputs": {}}]}}


def test_the_backend_is_asked_for_the_state_and_for_the_other_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = "echo \"error: no stack named '$4' found\" >&2; exit 6"
    cli(tmp_path, monkeypatch, f"if [ $4 = {NEW} ]; then echo '{json.dumps(STATE)}'; else {gone}; fi")
    assert backend.evidence(NEW, [OLD]) == Evidence(stacks={OLD: False}, recorded=frozenset({"u1"}))
    assert backend.exists(NEW) is True


@pytest.mark.parametrize(
    "script", ["echo 'error: no access' >&2; exit 1", "echo 'no JSON'", "exit 255"], ids=["refused", "no state", "silent"]
)
def test_a_backend_that_does_not_answer_proves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    cli(tmp_path, monkeypatch, script)
    assert backend.evidence(NEW, [OLD]) == Evidence()
    assert backend.exists(OLD) is None
    with pytest.raises(BackendError, match="pulumi stack export"):
        backend.exported(OLD)


def test_without_a_cli_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert backend.exists(OLD) is None

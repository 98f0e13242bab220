"""Exit statuses, reasons and codes come from codes alone: with every sentence replaced by noise they stay what they are."""

import re
from typing import Any

import pytest
from click.testing import CliRunner

from bluegreen.cli.main import cli
from bluegreen.cli.outcomes import Exit, ReleaseError, refused, status_of
from bluegreen.cli.session import Session
from bluegreen.cli.updates import Record, UpdateError
from bluegreen.release import refusals
from bluegreen.release.config_reader import SettingsError, read_settings
from bluegreen.release.refusals import SENTENCES, Code, Fault, Refusal, Rule, code_of, mark

NOISE = "Zxqv wlrm, bfgh."

# What the command shows of an update that failed with a code.
STATUSES: dict[Code, Exit] = {
    **dict.fromkeys(Rule, Exit.REFUSED),
    Fault.CONFIG: Exit.CONFIG,
    Fault.NOT_SERVED: Exit.SMOKE_TEST_FAILED,
}


def noise(text: str) -> str:
    """The text with every word outside of a code replaced."""
    return re.sub(r"(\[bluegreen:\w+\])|\w+", lambda found: found[1] or "zxqv", text)


def of(code: Code) -> str:
    """A message of the program with this code."""
    if isinstance(code, Rule):
        return str(Refusal(rule=code, asked="a", live="b", remedy="c", exception="unready"))
    if code is Fault.CONFIG:
        with pytest.raises(SettingsError) as error:
            read_settings({"bluegreen:activeColor": "red"})
        return str(error.value)
    return f"Users are not served by green {mark(code)}.\n  seen: nobody"


def failed(*messages: str, began: bool = False) -> UpdateError:
    record = Record()
    if began:
        urn = "urn:pulumi:s::bluegreen::kubernetes:apps/v1:Deployment::shop-blue"
        record.add({"resourcePreEvent": {"metadata": {"op": "update", "urn": urn, "type": "kubernetes:apps/v1:Deployment"}}})
    for message in messages:
        record.add({"diagnosticEvent": {"message": message, "severity": "error"}})
    return UpdateError(Exit.ERROR, "what the CLI printed", record)


@pytest.mark.parametrize("code", STATUSES)
@pytest.mark.parametrize("began", [False, True], ids=["at once", "at an object"])
def test_the_status_of_a_failed_update_is_that_of_its_code_whatever_the_message_says(code: Code, began: bool) -> None:
    words, replaced = of(code), noise(of(code))
    assert not {"rule", "config", "users", "color"} & set(replaced.split())
    plain, noisy = failed(words, began=began), failed(replaced, began=began)
    for error in (plain, noisy):
        assert (error.status, error.code) == (STATUSES[code], code)
    assert plain.record.has_changed == noisy.record.has_changed
    assert plain.record.is_refused_at_once == noisy.record.is_refused_at_once


@pytest.mark.parametrize("code", STATUSES)
def test_the_words_of_a_message_without_its_code_have_no_status(code: Code) -> None:
    assert failed(of(code).replace(f" {mark(code)}", "")).status is Exit.ERROR


@pytest.mark.parametrize("code", STATUSES)
def test_a_code_in_the_log_of_a_pod_is_not_the_code_of_the_failure(code: Code) -> None:
    error = failed(f"myapp-green did not become ready in 9 s\n  log: {of(code)}", began=True)
    assert (error.status, error.code) == (Exit.RESOURCE, None)


@pytest.mark.parametrize("rule", Rule)
def test_a_refusal_by_the_command_itself_ends_as_one_by_the_program(rule: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for sentence in (SENTENCES[rule], NOISE):
        monkeypatch.setattr(refusals, "SENTENCES", {**SENTENCES, rule: sentence})
        error = refused(Refusal(rule=rule, asked=sentence, live=sentence, remedy=sentence), sentence)
        made.append((error.status, error.code, code_of(str(error))))
    assert made == [(Exit.REFUSED, rule, rule)] * 2


@pytest.mark.parametrize("status", [status for status in Exit if status is not Exit.OK])
def test_the_reason_in_json_is_that_of_the_status_whatever_the_message_says(
    status: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    def end(*_: Any, **__: Any) -> None:
        raise ReleaseError(status, NOISE, Rule.READY if status is Exit.REFUSED else None)

    monkeypatch.setattr(Session, "apply", end)
    monkeypatch.setattr(Session, "live", lambda _: (_ for _ in ()).throw(ReleaseError(Exit.ERROR, NOISE)))
    ran = CliRunner().invoke(cli, ["up", "--stack", "any", "--json"])
    result = json.loads(ran.output.splitlines()[-1])
    code = "READY" if status is Exit.REFUSED else ""
    assert ran.exit_code == status
    assert (result["status"], result["reason"], result["code"], result["message"]) == (status, status.name.lower(), code, NOISE)


def test_every_code_has_a_status_and_every_rule_a_sentence() -> None:
    assert {code: status_of(code) for code in STATUSES} == STATUSES
    assert set(STATUSES) == {*Rule, *Fault}
    assert all(rule.sentence for rule in Rule)
    assert len(set(STATUSES)) == len(Rule) + len(Fault)

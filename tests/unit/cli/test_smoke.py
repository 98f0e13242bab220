"""Smoke tests: what passes, what fails, and what is wrong with a list."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.smoke import Check, read, run, run_command
from bluegreen.release.endpoint import Endpoint
from tests.unit.cli.served import Reply, server


@pytest.mark.parametrize(
    "check",
    [
        Check(path="/"),
        Check(path="/", status=200, body=r"version\W+2\.0", headers={"X-Color": "green"}, within_ms=5000),
    ],
    ids=["the least", "everything"],
)
def test_a_check_passes_when_all_of_it_holds(check: Check) -> None:
    with server(lambda _: Reply(body='{"version": "2.0"}', headers={"x-color": "green"})) as url:
        assert run(check, Endpoint(url=url)).failure == ""


@pytest.mark.parametrize(
    ("check", "failure"),
    [
        (Check(path="/", status=404), "status 200, not 404"),
        (Check(path="/", body="3"), "nothing in the body matches '3'"),
        (Check(path="/", headers={"x-color": "green"}), "header x-color is absent, not green"),
        (Check(path="/", within_ms=1), "ms, not within 1"),
    ],
    ids=["status", "body", "header", "latency"],
)
def test_a_check_fails_with_what_was_seen(check: Check, failure: str) -> None:
    def slowly(_: object) -> Reply:
        import time

        time.sleep(0.01)
        return Reply()

    with server(slowly) as url:
        assert failure in run(check, Endpoint(url=url)).failure


def test_a_list_is_read(tmp_path: Path) -> None:
    file = tmp_path / "smoke.yaml"
    file.write_text("- path: /ping\n- {path: /ready, status: 204, within_ms: 300}\n")
    assert list(map(str, read(file))) == [str(Check(path="/ping")), str(Check(path="/ready", status=204, within_ms=300))]


def test_everything_that_is_wrong_with_a_list_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "smoke.yaml"
    file.write_text("- {path: ping, staus: 200}\n- nothing\n- {path: /, body: '(', status: ok}\n")
    with pytest.raises(ReleaseError) as wrong:
        read(file)
    assert wrong.value.status is Exit.CONFIG
    said = str(wrong.value)
    for each in (
        "path must be there",
        "staus is no key",
        "check 2: 'nothing'",
        "no regular expression",
        "status must be a whole",
    ):
        assert each in said


def test_a_command_finds_the_test_route_in_its_environment() -> None:
    script = (
        "import os, sys; e = os.environ; sys.exit(e['BLUEGREEN_URL'] + e['BLUEGREEN_COOKIE'] != 'http://x.exampletest=true')"
    )
    endpoint = Endpoint(url="http://x.example", cookie="test=true")
    assert run_command([sys.executable, "-c", script], endpoint, "green", None) == 0
    assert run_command([sys.executable, "-c", "raise SystemExit(3)"], endpoint, "green", None) == 3


def test_a_command_that_is_not_there_has_not_passed() -> None:
    with pytest.raises(ReleaseError) as missing:
        run_command(["/no/such/command"], Endpoint(url="http://x.example"), "green", None)
    assert missing.value.status is Exit.SMOKE_TEST_FAILED


def test_a_plain_value_that_yaml_changes_is_refused_and_others_are_what_they_say(tmp_path: Path) -> None:
    file = tmp_path / "smoke.yaml"
    file.write_text("- {path: /ping, headers: {x-version: 1.10, x-cached: on, x-age: 5, x-new: true}}\n")
    with pytest.raises(ReleaseError) as wrong:
        read(file)
    assert 'check 1: headers.x-version is 1.10, which YAML reads as the number 1.1. Write it in quotes: "1.10"' in str(
        wrong.value
    )
    assert "check 1: headers.x-cached is on" in str(wrong.value)
    file.write_text("- {path: /ping, headers: {x-version: '1.10', x-age: 5, x-new: true}}\n")
    assert read(file)[0].headers == {"x-version": "1.10", "x-age": "5", "x-new": "true"}


ODD = [
    "status: true",
    "within_ms: yes",
    "body: 5",
    "body: 'a{99999999999}'",
    "headers: {a: [b]}",
    "headers: {[a]: b}",
    "path: /a b",
]
KEYS = st.sampled_from(["path", "status", "body", "headers", "within_ms", "other"])
PARTS = st.one_of(
    st.text("ab/01.:{}[]'\"&*!~ \n#-", max_size=12), st.sampled_from(["/ping", "200", "{a: b}", "(", "0022", "[", "on"])
)
LISTS = st.lists(st.dictionaries(KEYS, PARTS, max_size=3), max_size=3).map(
    lambda checks: "".join(f"- {', '.join(f'{key}: {part}' for key, part in check.items()).join('{}')}\n" for check in checks)
)


@pytest.mark.parametrize("written", ODD)
def test_a_check_that_cannot_be_run_is_refused(tmp_path: Path, written: str) -> None:
    (tmp_path / "smoke.yaml").write_text(f"- {{path: /, {written}}}\n")
    with pytest.raises(ReleaseError) as wrong:
        read(tmp_path / "smoke.yaml")
    assert wrong.value.status is Exit.CONFIG


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(LISTS, st.text(max_size=40)), st.binary(max_size=3))
def test_any_file_is_a_list_of_checks_or_refused_in_words(tmp_path: Path, text: str, more: bytes) -> None:
    file = tmp_path / "smoke.yaml"
    file.write_bytes(text.encode(errors="replace") + (more if len(more) == 3 else b""))
    try:
        checks = read(file)
    except ReleaseError as wrong:
        assert wrong.status is Exit.CONFIG  # noqa: PT017 - many files are fine, and those that are not say so
        assert str(file) in str(wrong)  # noqa: PT017
    else:
        assert all(check.path.startswith("/") for check in checks)

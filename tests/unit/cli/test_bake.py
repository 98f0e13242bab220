"""A color that is worse is found soon, one that is as good as the old one is not rolled back, and the switch proves nothing."""

import random
import statistics
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bluegreen.cli import bake
from bluegreen.cli.bake import Before, Counts, Observation, Verdict, Watch, counted, watch
from bluegreen.cli.smoke import Check, Outcome
from bluegreen.probe import Response
from bluegreen.release.endpoint import Endpoint
from tests.unit.cli.served import Asked, Reply, server

ENTRANCE = Endpoint(url="http://shop.example", color_header="x-color")
GOOD, OLD = Response(status=200, color="green", seconds=0.01), Response(status=200, color="blue", seconds=0.01)
ERROR = Response(status=500, color="green")
REFUSED = Response(status=403, color="green")
LOST = Response(error="ConnectionResetError: reset")
NO_ROUTE = Response(status=404)
CHECK = Check(path="/ping")

# Between sending a request and its answer.
LATENCY_SECONDS = 0.01


def requests(answers: Iterable[Response], latency_seconds: float = LATENCY_SECONDS) -> Iterator[Observation]:
    """The answers to requests that are sent at `bake.RATE`, as they come."""
    for place, answer in enumerate(answers):
        sent = place / bake.RATE
        yield Observation(at=sent + latency_seconds, sent=sent, response=answer)


def before(answers: Iterable[Response] = (OLD,) * 500, passing: tuple[Check, ...] = ()) -> Before:
    return counted(ENTRANCE, "blue", passing, requests(answers))


def judged(seen: Iterable[Observation], compared: Before | None = None, seconds: float = 60) -> Verdict:
    watched = Watch(endpoint=ENTRANCE, color="green", before=compared or before(), seconds=seconds)
    return watch(watched, seen, lambda: None, lambda *_: None)


def failing(share: float, rng: random.Random, good: Response = GOOD) -> Iterator[Response]:
    """Answers without an end, of which this share are errors."""
    while True:
        yield Response(status=500, color=good.color) if rng.random() < share else good


SEEDS = range(100)


def both(share_before: float, share_after: float, seed: int, seconds: float = 30) -> Verdict:
    """How a bake ends, by chance, with these shares of errors before and after the switch."""
    rng = random.Random(seed)
    compared = before(islice(failing(share_before, rng, OLD), int(bake.BEFORE_SECONDS * bake.RATE)))
    return judged(requests(failing(share_after, rng)), compared, seconds)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.05, 0.3])
def test_as_many_errors_as_before_are_hardly_ever_called_worse(share: float) -> None:
    alarms = [seed for seed in SEEDS if both(share, share, seed).worse]
    assert len(alarms) <= 2, f"false alarms with the seeds {alarms}"


def test_one_percent_of_errors_is_hardly_ever_called_worse_even_if_there_was_none_before() -> None:
    alarms = [seed for seed in SEEDS if both(0.0, 0.01, seed).worse]
    assert len(alarms) <= 1, f"false alarms with the seeds {alarms}"


@pytest.mark.parametrize("share", [0.0, 0.01])
def test_five_percent_more_errors_are_found_within_a_few_seconds(share: float) -> None:
    found = [both(share, share + 0.05, seed) for seed in SEEDS]
    missed = [seed for seed, verdict in enumerate(found) if not verdict.worse]
    assert len(missed) <= 2, f"not found with the seeds {missed}"
    assert statistics.median(verdict.seconds for verdict in found) < 6
    assert statistics.quantiles([verdict.seconds for verdict in found], n=10)[-1] < 15


@pytest.mark.parametrize("bad", [ERROR, LOST, REFUSED, NO_ROUTE], ids=["errors", "nobody", "refused", "another application"])
def test_a_color_that_serves_nobody_is_found_at_once(bad: Response) -> None:
    verdict = judged(requests([bad] * 100))
    assert verdict.worse
    assert verdict.seconds < 0.5


def test_a_color_that_accepts_requests_and_never_answers_is_found_in_three_seconds() -> None:
    hangs = Response(error="TimeoutError: no complete response in time")
    verdict = judged(requests([hangs] * 500, latency_seconds=before().patience_seconds))
    assert "TimeoutError" in verdict.worse
    assert verdict.seconds < 3


def test_a_color_that_begins_to_fail_late_is_found_as_soon_as_one_that_fails_at_once() -> None:
    verdict = judged(requests([GOOD] * 2000 + [ERROR] * 100))
    assert verdict.worse
    assert verdict.seconds == pytest.approx(2000 / bake.RATE, abs=1)


def test_the_reason_names_the_requests_that_it_was_decided_by_and_those_before() -> None:
    verdict = judged(requests([GOOD] * 2000 + [ERROR] * 100))
    assert verdict.worse == ("5 of 5 requests failed, the last one with status 500 by green; before the switch 0 of 500")


@pytest.mark.parametrize("bad", [Response(status=500, color="blue"), Response(status=401, color="blue"), LOST])
def test_a_color_that_is_as_bad_as_the_old_one_was_is_not_worse(bad: Response) -> None:
    now = Response(status=bad.status, color="green", error=bad.error)
    half = [answer for _ in range(250) for answer in (bad, OLD)]
    rows = [answer for _ in range(40) for answer in (*[now] * 20, *[GOOD] * 20)]
    assert not judged(requests([*[GOOD] * 20, *rows]), before(half), seconds=10).worse


@given(
    lost=st.lists(st.integers(0, bake.RATE - 1), max_size=bake.SWITCH_LOSSES, unique=True),
    how=st.sampled_from([LOST, ERROR, NO_ROUTE]),
    old=st.integers(0, 10 * bake.RATE),
    mixed=st.randoms(use_true_random=False),
)
@hypothesis_settings(derandomize=True, deadline=None, max_examples=40)
def test_the_switch_itself_is_no_failure(lost: list[int], how: Response, old: int, mixed: random.Random) -> None:
    """Up to five requests lost in the first second, and answers of the old color for up to ten, in any order."""
    answers = [OLD if place < old and mixed.random() < 0.9 else GOOD for place in range(30 * bake.RATE)]
    for place in lost:
        answers[place] = how
    verdict = judged(requests(answers), seconds=20)
    assert (verdict.worse, verdict.unserved) == ("", "")


def test_more_losses_in_the_first_second_than_a_switch_explains_are_worse() -> None:
    assert judged(requests([LOST] * 12 + [GOOD] * 3000)).worse


def test_users_who_stay_on_the_old_color_are_not_served_and_nothing_is_worse() -> None:
    verdict = judged(requests([OLD] * 3000))
    assert verdict.worse == ""
    assert verdict.unserved == "status 200 by blue"
    assert verdict.seconds == pytest.approx(bake.SERVED_WITHIN_SECONDS, abs=1)


def test_users_whom_somebody_moves_back_meanwhile_are_no_longer_served_and_nothing_is_worse() -> None:
    verdict = judged(requests([GOOD] * 500 + [OLD] * 500))
    assert (verdict.worse, verdict.unserved) == ("", "status 200 by blue")


def test_a_watch_in_which_nobody_ever_answers_ends_as_not_served() -> None:
    verdict = judged(Observation(at=moment / 10) for moment in count())
    assert verdict.unserved == "no response"


def test_a_good_color_bakes_to_the_end() -> None:
    told: list[str] = []
    watched = Watch(endpoint=ENTRANCE, color="green", before=before(), seconds=12)
    verdict = watch(
        watched,
        requests([OLD] * 10 + [GOOD] * 3000),
        lambda: told.append("served"),
        lambda seconds, counts: told.append(f"{seconds:.0f} s: {counts.failed}"),
    )
    assert (verdict.worse, verdict.unserved) == ("", "")
    assert verdict.seconds == pytest.approx(12, abs=0.1)
    assert verdict.counts.failed == 0
    assert told == ["served", "5 s: 0", "10 s: 0"]


def checked(*failures: str) -> Iterator[Observation]:
    """Good requests, and every second the outcome of a check."""
    for second, failure in enumerate(failures):
        for place in range(bake.RATE):
            yield Observation(at=second + place / bake.RATE, sent=second + place / bake.RATE, response=GOOD)
        yield Observation(at=second + 1, check=CHECK, outcome=Outcome(name="GET /ping", milliseconds=1, failure=failure))


def test_a_check_that_fails_twice_in_a_row_is_enough_and_once_is_not() -> None:
    assert "GET /ping, which passed before the switch: status 500" in judged(checked("", "status 500", "status 500")).worse
    assert not judged(checked("", "status 500", "", "status 500", ""), seconds=5).worse


def test_a_check_that_failed_before_says_nothing_of_the_new_color() -> None:
    checks = [Check(path="/", status=418), Check(path="/")]
    with server(lambda _: Reply(headers={"x-color": "blue"})) as url:
        assert bake.before(Endpoint(url=url, color_header="x-color"), "blue", checks, seconds=0.1).passing == (checks[1],)


def test_what_was_slow_before_may_be_slow_afterwards() -> None:
    slow = Response(status=200, color="blue", seconds=1.5)
    assert before().patience_seconds == bake.PATIENCE_SECONDS
    assert before([slow]).patience_seconds == 3.0
    assert counted(ENTRANCE, "blue", (), ()).counts["failed"] == Counts()


@pytest.fixture
def hanging() -> Iterator[Callable[[Asked], Reply]]:
    """A server's first request hangs until the test is over; the others are answered, checks with an error."""
    over = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.before == 0:
            over.wait(60)
        return Reply(headers={"x-color": "green"})

    yield answer
    over.set()


def test_a_request_that_hangs_stops_neither_the_others_nor_the_checks(hanging: Callable[[Asked], Reply]) -> None:
    with server(hanging) as url:
        seen = bake.requests(Endpoint(url=url, color_header="x-color"), 60, checks=[CHECK])
        answers = checks = 0
        for each in seen:  # ends when all of this has come although the first request hangs
            answers, checks = answers + (each.response is not None), checks + (each.check is not None)
            if answers >= 30 and checks >= 2:
                break
        seen.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("stall_seconds", "counts"), [(1e9, True), (-1.0, False)], ids=["it had time", "it had none"])
def test_a_request_that_times_out_counts_only_if_this_process_had_time_for_it(
    monkeypatch: pytest.MonkeyPatch, stall_seconds: float, counts: bool
) -> None:
    monkeypatch.setattr(bake, "STALL_SECONDS", stall_seconds)
    over = threading.Event()

    def answer(_: Asked) -> Reply:
        over.wait(60)
        return Reply()

    with server(answer) as url:
        seen = [*bake.requests(Endpoint(url=url, color_header="x-color"), 0.05, seconds=0.1)]
        over.set()
    assert any(each.response for each in seen) is counts


def test_a_check_that_hangs_does_not_stop_the_requests() -> None:
    over = threading.Event()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/ping":
            over.wait(60)
        return Reply(headers={"x-color": "green"})

    with server(answer) as url:
        seen = bake.requests(Endpoint(url=url, color_header="x-color"), 60, checks=[CHECK])
        assert len([*islice((each for each in seen if each.response), 100)]) == 100
        over.set()


def test_every_request_of_a_bounded_watch_gets_its_answer() -> None:
    with server(lambda _: Reply(headers={"x-color": "blue"})) as url:
        seen = [*bake.requests(Endpoint(url=url, color_header="x-color"), 60, seconds=0.3)]
    answers = [each for each in seen if each.response]
    assert answers
    assert all(each.sent < 0.3 for each in answers)
    assert [each.response.color for each in answers if each.response] == ["blue"] * len(answers)

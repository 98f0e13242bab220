"""What `activate --bake` does with the verdict: users go back from a color that is worse, and only what was seen is claimed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from bluegreen.cli import activate, bake
from bluegreen.cli.bake import Before, Counts, Observation
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.session import Session
from bluegreen.cli.updates import Record
from bluegreen.probe import Response
from bluegreen.release.config_reader import read_settings
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import Settings
from bluegreen.release.traffic import Traffic
from tests.unit.program import BOTH_COLORS

COLORS = {name: LiveColor(image=f"shop:{tag}") for name, tag in (("blue", "1.0"), ("green", "2.0"))}
GREEN, BLUE, ERROR = (
    Response(status=200, color="green"),
    Response(status=200, color="blue"),
    Response(status=500, color="green"),
)


class Selection:
    def settings(self) -> Settings:
        return read_settings(BOTH_COLORS)

    def users(self) -> Endpoint:
        return Endpoint(url="http://shop.example", color_header="x-color")


@dataclass(frozen=True, kw_only=True)
class Switch(Session):
    """A session in which users are on blue until its next update, which may fail with `failure` after it wrote the route."""

    selection: Any = field(default_factory=Selection)
    progress: Progress = field(default_factory=lambda: Progress(is_json=False))
    route: list[str] = field(default_factory=lambda: ["blue"])
    failure: ReleaseError | None = None

    def live(self) -> Live:
        return Live(traffic=Traffic.to(self.route[-1]), route_owner="", colors=COLORS)

    def apply(self, *_: Any, **__: Any) -> Record:
        self.route.append("green")
        if self.failure:
            raise self.failure
        return Record()


def endless(*answers: Response) -> Iterator[Observation]:
    """These answers, and the last one again and again."""
    for place in count():
        yield Observation(at=place / 50, sent=place / 50, response=answers[min(place, len(answers) - 1)])


@pytest.fixture
def bakes(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `activate green --bake` while these answers are seen; `failure` is how the rollback fails."""

    def run(seen: Iterable[Observation], session: Switch | None = None, failure: ReleaseError | None = None) -> Switch:
        def rollback(session: Switch, to: str) -> None:
            if failure:
                raise failure
            session.route.append(to)

        session = session or Switch()
        monkeypatch.setattr(bake, "requests", lambda *_, **__: seen)
        monkeypatch.setattr(bake, "before", lambda *_: Before(color="blue", counts={"failed": Counts(requests=500)}))
        monkeypatch.setattr(activate, "rollback_now", rollback)
        activate.activate(session, "green", bake_seconds=10)
        return session

    return run


def test_a_good_color_stays_and_is_verified(bakes: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert bakes(endless(BLUE, BLUE, GREEN)).route == ["blue", "green"]
    said = capsys.readouterr().out
    assert "baked 10 s: 0 of 499 requests failed" in said
    assert "users: green (verified)" in said


def test_users_go_back_from_a_color_that_is_worse(bakes: Any) -> None:
    session = Switch()
    with pytest.raises(ReleaseError, match="so users went back to blue") as error:
        bakes(endless(ERROR), session)
    assert error.value.status is Exit.ROLLED_BACK
    assert session.route == ["blue", "green", "blue"]


def test_a_rollback_that_fails_says_why_it_was_tried(bakes: Any) -> None:
    with pytest.raises(ReleaseError, match="green is worse than blue: ") as error:
        bakes(endless(ERROR), failure=ReleaseError(Exit.REFUSED, "blue is not ready"))
    assert error.value.status is Exit.REFUSED
    assert "The rollback failed: blue is not ready" in str(error.value)


def test_users_who_stay_on_the_old_color_are_not_rolled_back(bakes: Any) -> None:
    session = Switch()
    with pytest.raises(ReleaseError, match="are not served by green") as error:
        bakes(endless(BLUE), session)
    assert error.value.status is Exit.SMOKE_TEST_FAILED
    assert session.route == ["blue", "green"]


@pytest.mark.parametrize(("answer", "status"), [(ERROR, Exit.ROLLED_BACK), (BLUE, Exit.SMOKE_TEST_FAILED)])
def test_an_update_whose_own_verification_failed_is_baked_all_the_same(bakes: Any, answer: Response, status: Exit) -> None:
    failure = ReleaseError(Exit.SMOKE_TEST_FAILED, "Users are not served by green")
    with pytest.raises(ReleaseError) as error:
        bakes(endless(answer), Switch(failure=failure))
    assert error.value.status is status


def test_an_update_that_failed_otherwise_is_not_baked(bakes: Any) -> None:
    failure = ReleaseError(Exit.RESOURCE, "a write was rejected")
    with pytest.raises(ReleaseError, match="a write was rejected"):
        bakes(endless(GREEN), Switch(failure=failure))

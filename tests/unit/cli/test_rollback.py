"""`rollback --now` moves users first, and says what becomes of workers."""

import pytest

from bluegreen.cli.emergency import Moved, report
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.rollback import _behind


def moved(*, has_workers: bool) -> Moved:
    return Moved(origin="green", target="blue", test="", place="east", has_workers=has_workers)


@pytest.mark.parametrize("has_workers", [True, False])
def test_workers_follow_with_the_update(has_workers: bool, capsys: pytest.CaptureFixture[str]) -> None:
    report(Progress(is_json=False), moved(has_workers=has_workers))
    printed = capsys.readouterr()
    assert ("; workers follow with the update" in printed.out + printed.err) is has_workers


@pytest.mark.parametrize("has_workers", [True, False])
def test_an_update_that_fails_after_the_route_says_where_workers_are(has_workers: bool) -> None:
    failed = _behind(moved(has_workers=has_workers), ReleaseError(Exit.ERROR, "no answer"))
    assert str(failed).startswith("Users have moved to blue by the route")
    assert ("Workers may not have moved with them: the next update starts those of blue." in str(failed)) is has_workers

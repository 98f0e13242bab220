"""Who gets which color: shares that sum to 100, and the move from one Traffic to another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release.colors import COLORS
from bluegreen.release.traffic import NOBODY, Move, Traffic, move

WEIGHTS = st.dictionaries(st.sampled_from(COLORS), st.floats(0, 1_000_000), max_size=2)


@given(WEIGHTS)
def test_a_split_sums_to_100_names_every_color_and_most_users_are_on_the_heaviest(weights: dict[str, float]) -> None:
    split = Traffic.split(weights)
    assert split.users.keys() == weights.keys()
    assert not weights or sum(split.users.values()) == 100
    assert all(share > 0 for share in split.users.values())
    assert weights.get(split.active, 0) == max(weights.values(), default=0)


def test_a_share_that_rounds_to_nothing_is_shown_all_the_same() -> None:
    assert Traffic.split({"blue": 999, "green": 1}).users == {"blue": 99, "green": 1}


def test_of_equal_shares_the_first_color_counts_as_active() -> None:
    assert Traffic.split({"green": 50, "blue": 50}).active == "blue"


def test_shares_that_do_not_sum_to_100_are_refused() -> None:
    with pytest.raises(ValueError, match="do not sum to 100"):
        Traffic(users={"blue": 90})


MOVES = {
    "to the other color": (Traffic.to("blue"), Traffic.to("green"), (), Move("blue", "green")),
    "testers alone": (Traffic.to("blue"), Traffic.to("blue", "green"), (), None),
    "the first installation": (NOBODY, Traffic.to("blue"), (), None),
    "from a split": (Traffic(users={"blue": 90, "green": 10}), Traffic.to("green"), ("green",), Move("blue", "green")),
    "from nobody knows where": (NOBODY, Traffic.to("green"), ("blue", "green"), Move("blue", "green")),
}


@pytest.mark.parametrize(("before", "after", "may_serve", "moved"), MOVES.values(), ids=MOVES)
def test_users_move_if_they_are_or_may_be_on_another_color(
    before: Traffic, after: Traffic, may_serve: tuple[str, ...], moved: Move | None
) -> None:
    assert move(before, after, may_serve) == moved


def test_a_move_reads_as_a_sentence() -> None:
    assert str(Move("blue", "green")) == "users from blue to green"

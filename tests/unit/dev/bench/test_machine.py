"""What the host gives to others is seen: whatever is measured meanwhile says little about the program."""

from dev.bench import machine


def test_the_share_of_the_time_that_others_got_is_of_the_time_since_a_reading() -> None:
    every, stolen = machine.processor_time()
    assert 0 <= stolen < every
    share = machine.stolen_percent((every - 100_000, stolen - 25_000))
    assert 24.9 <= share <= 25.1

"""The run: who is measured when, and what happens when something fails.

First those without a controller have the sandbox to themselves: switches without any load, then rollbacks, then releases, and
ours switch after switch, at the fixed rate and then under as much load as the machine gives. Then come the controllers, and all
are measured side by side.

The contestants take turns, each round in another order, so whatever else the machine does meets all of them. Load comes to one
at a time. While a contestant's minute between a release and its rollback passes, the others are measured. A sample is written
down as soon as it is taken; a contestant that fails is made anew, and the run goes on.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dev.bench import cluster, controllers, measure, peers
from dev.bench.cluster import BenchError
from dev.bench.contestants import ALL, TAKING_TURNS
from dev.bench.contestants.base import PLAIN_ROLLBACK, PLAN, RELEASE, ROLLBACK, ROLLBACK_LATER, SWITCH, Contestant
from dev.bench.contestants.flagger import Flagger
from dev.bench.contestants.nothing import NothingToDo
from dev.bench.controllers import Controller
from dev.bench.footprint import footprint
from dev.bench.record import Record
from dev.bench.samples import ALONE, FULL, IDLE, LOADED, PROBED, STEADY, Results, Sample
from dev.sandbox.errors import SandboxError
from dev.traffic.vegeta import LoadError

FLAGGER_COPIES, APART_SECONDS = 5, 2.3
# Of the rate that the machine bears when nothing else goes on: a switch needs the rest.
FULL_SHARE = 0.5
# Of many switches only what lasted longer than this keeps its timeline, so that it can be told what else happened meanwhile.
LONG_CUT_OVER_MS = 10

# What a contestant does when its turn comes: each kind of operation with the load that there is meanwhile.
Steps = Sequence[tuple[str, str]]
# These have rounds of their own, one after the other: the pods that a release ends would take time from the next one's switch.
TO_ITSELF: Sequence[Steps] = (((SWITCH, IDLE), (PLAN, IDLE)), ((ROLLBACK, ALONE),), ((RELEASE, ALONE),))
SIDE_BY_SIDE: Steps = (
    (SWITCH, PROBED),
    (ROLLBACK, PROBED),
    (SWITCH, LOADED),
    (PLAIN_ROLLBACK, PROBED),
    (RELEASE, PROBED),
    (PLAN, ""),
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How much is measured. Rates are requests a second."""

    rounds: int = 10
    contestants: tuple[str, ...] = (*(each.slug for each in TAKING_TURNS), Flagger.slug)
    rate: int = 1000
    probe: int = 100
    minute: float = 60
    """Seconds between a release and the rollback that is not at once."""
    steady_requests: int = 1_000_000
    """How many requests are sent at the fixed rate while ours switch again and again; 0 for none of it."""
    full_requests: int = 200_000
    """The same, under full load."""
    flagger_batches: int = 2
    """Releases of Flagger, and as many rollbacks; each is one of five copies at once."""


class Run:
    """One run. `file` has all that was measured, at any time."""

    def __init__(self, settings: Settings, results: Results, file: Path) -> None:
        self._settings = settings
        self._record = Record(results, file)
        self._released_at: dict[str, float] = {}

    def go(self) -> None:
        """Measures everything, and removes what it has made."""
        for each in ALL:
            if each.tool and each.slug in self._settings.contestants:
                peers.build(each.tool)
        clean()
        self._record.say("loading images")
        cluster.load_images()
        try:
            chosen = [each for each in TAKING_TURNS if each.slug in self._settings.contestants]
            contestants = self._all_made(each for each in chosen if not each.tool)
            self._idle([*contestants, *self._all_made([NothingToDo])])
            self._switch_after_switch(contestants)
            self._side_by_side(contestants, [each for each in chosen if each.tool])
            if Flagger.slug in self._settings.contestants:
                self._flagger()
        finally:
            self._record.say("cleaning up")
            remove()

    # Nothing else on the sandbox

    def _idle(self, contestants: list[Contestant]) -> None:
        for steps in TO_ITSELF:
            for number in range(self._settings.rounds):
                for contestant in _in_turn(contestants, number):
                    self._one_turn(contestant, number, steps)

    def _idle_switch(self, contestant: Contestant, number: int) -> None:
        with self._attempt(contestant, SWITCH, number):
            contestant.prepare(SWITCH)
            move = contestant.move(SWITCH)
            base = Sample(contestant=contestant.name, kind=SWITCH, load=IDLE, round=number, end=0)
            self._record.take(measure.timed(base, move.commands))
            contestant.live = move.new

    def _switch_after_switch(self, contestants: list[Contestant]) -> None:
        ours = [each for each in contestants if each.is_ours]
        if self._settings.steady_requests:
            self._many(ours, STEADY, self._settings.rate, self._settings.steady_requests)
        if ours and self._settings.full_requests:
            with self._attempt(ours[0], SWITCH, 0):
                bearable = measure.bearable_rate(ours[0].host, ours[0].live)
                self._many(ours, FULL, round(FULL_SHARE * bearable), self._settings.full_requests)

    def _many(self, contestants: list[Contestant], load: str, rate: int, requests: int) -> None:
        """Measures switches of one after the other, each at `rate` for its share of the `requests`."""
        for contestant in contestants:
            share = requests // len(contestants)
            with self._attempt(contestant, SWITCH, 0):
                self._record.say(f"{contestant.name}: {share:,} requests at {rate:,} a second")
                base = Sample(contestant=contestant.name, kind=SWITCH, load=load, round=0, end=0)
                samples, failure = measure.observe_many(base, contestant, rate, share)
                for number, sample in enumerate(samples):
                    is_long = (sample.cut_over_ms or 0) > LONG_CUT_OVER_MS
                    self._record.take(replace(sample, round=number, timeline=sample.timeline if is_long else None))
                if failure:
                    raise failure

    # Side by side

    def _side_by_side(self, contestants: list[Contestant], with_controller: Sequence[type[Contestant]]) -> None:
        with self._controllers(with_controller) as running:
            contestants = [*contestants, *self._all_made(with_controller)]
            for number in range(self._settings.rounds):
                for contestant in _in_turn(contestants, number):
                    self._roll_back_the_due(contestants, number, contestant)
                    self._one_turn(contestant, number)
                self._record.note_memory(running)
            for contestant in contestants:
                self._roll_back_the_due(contestants, self._settings.rounds - 1, contestant)
            for contestant in contestants:
                with self._attempt(contestant, "footprint", 0):
                    self._record.results.footprints[contestant.name] = footprint(contestant)

    @contextmanager
    def _controllers(self, contestants: Sequence[type[Contestant]]) -> Iterator[dict[str, Controller]]:
        """The controllers of `contestants`, running."""
        running: dict[str, Controller] = {}
        try:
            for each in contestants:
                assert each.tool
                folder = peers.build(each.tool)
                each.install_controller(folder)
                running[each.name] = each.start_controller(folder)
                self._record.results.memory[each.name] = []
            yield running
        finally:
            controllers.stop_recorded()

    def _one_turn(self, contestant: Contestant, number: int, steps: Steps = SIDE_BY_SIDE) -> None:
        for kind, load in steps:
            if self._record.is_out(contestant):
                return
            if kind == PLAN:
                self._plan(contestant, number, load)
            elif load == IDLE:
                self._idle_switch(contestant, number)
            elif kind in contestant.moves:
                self._move(contestant, kind, load, number)

    def _move(self, contestant: Contestant, kind: str, load: str, number: int) -> None:
        rate = self._settings.rate if load == LOADED else self._settings.probe
        with self._attempt(contestant, kind, number):
            contestant.prepare(kind)
            since = self._released_at.pop(contestant.environment, None)
            base = Sample(contestant=contestant.name, kind=kind, load=load, round=number, end=0)
            if kind == ROLLBACK_LATER and since is not None:
                base = replace(base, since_switch=round(time.monotonic() - since, 1))
            sample = measure.observe(base, contestant.host, contestant.move(kind), rate)
            contestant.live = sample.new
            if kind == RELEASE and load == PROBED:
                self._released_at[contestant.environment] = time.monotonic()
            self._record.take(sample if load == LOADED else replace(sample, timeline=None))

    def _plan(self, contestant: Contestant, number: int, load: str) -> None:
        with self._attempt(contestant, PLAN, number):
            if command := contestant.plan():
                base = Sample(contestant=contestant.name, kind=PLAN, load=load, round=number, end=0)
                self._record.take(measure.timed(base, [command]))

    def _roll_back_the_due(self, contestants: list[Contestant], number: int, next_one: Contestant) -> None:
        """Rolls back whoever has been released a minute ago, and waits for that minute of the one whose turn it is."""
        for contestant in [next_one, *contestants]:
            released = self._released_at.get(contestant.environment)
            if released is None:
                continue
            left = released + self._settings.minute - time.monotonic()
            if left <= 0 or contestant is next_one:
                time.sleep(max(0, left))
                self._move(contestant, ROLLBACK_LATER, PROBED, number)

    # Flagger: a release takes a minute by its own clock, so several run at once

    def _flagger(self) -> None:
        folder = peers.build(peers.FLAGGER)
        Flagger.install_controller(folder)
        controller = Flagger.start_controller(folder)
        self._record.results.memory[Flagger.name] = []
        try:
            with ThreadPoolExecutor(FLAGGER_COPIES) as pool:
                copies = [Flagger(number) for number in range(FLAGGER_COPIES)]
                copies = [copy for copy, is_made in zip(copies, pool.map(self._made, copies), strict=True) if is_made]
                for number, kind in enumerate([RELEASE, ROLLBACK] * self._settings.flagger_batches):
                    waiting = [pool.submit(self._flagger_move, copy, kind, number) for copy in copies]
                    for each in waiting:
                        each.result()
                    self._record.note_memory({Flagger.name: controller})
                for copy in copies[:1]:
                    with self._attempt(copy, "footprint", 0):
                        self._record.results.footprints[Flagger.name] = footprint(copy)
        finally:
            controllers.stop_recorded()

    def _flagger_move(self, copy: Flagger, kind: str, number: int) -> None:
        # Its clock ticks for all of them at once: copies that begin together would be one sample, taken five times.
        time.sleep(copy.number * APART_SECONDS)
        with self._attempt(copy, kind, number):
            base = Sample(contestant=Flagger.name, kind=kind, load=PROBED, round=number, end=0)
            rate = max(2, self._settings.probe // FLAGGER_COPIES)
            sample = measure.observe(base, copy.host, copy.move(kind), rate)
            copy.live = sample.new
            self._record.take(sample if kind == RELEASE else replace(sample, timeline=None))

    # What may go wrong

    def _all_made(self, contestants: Iterable[type[Contestant]]) -> list[Contestant]:
        """An environment of each; whoever's cannot be made is left out."""
        return [one for each in contestants if self._made(one := each())]

    def _made(self, contestant: Contestant) -> bool:
        """Makes the environment of a contestant; False when that failed, which is noted."""
        self._record.say(f"{contestant.name}: making {contestant.namespace}")
        try:
            contestant.reset()
            return True
        except _EXPECTED as error:
            self._record.fail(contestant, "install", 0, error)
            return False

    @contextmanager
    def _attempt(self, contestant: Contestant, kind: str, number: int) -> Iterator[None]:
        """Notes a failure of what is done inside, and makes the environment anew; it costs nobody else anything."""
        try:
            yield
        except _EXPECTED as error:
            self._record.fail(contestant, kind, number, error)
            self._released_at.pop(contestant.environment, None)
            if not self._record.is_out(contestant):
                self._made(contestant)


# What may go wrong with a contestant, as opposed to a mistake in the benchmark.
_EXPECTED = (BenchError, LoadError, SandboxError, OSError, ValueError)


def _in_turn(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """All of them, each round beginning with another."""
    start = number % len(contestants) if contestants else 0
    return [*contestants[start:], *contestants[:start]]


def remove() -> None:
    """Removes everything of a run from the cluster, and stops its processes. The files stay, for whoever asks why."""
    controllers.stop_recorded()
    cluster.delete_namespaces()
    peers.delete_definitions()


def clean() -> None:
    """Removes everything that an earlier run has left, whether it ended well or was killed."""
    remove()
    cluster.clean_directory()

"""What a run writes down while it goes on: each sample and each failure at once, on disk and for whoever watches."""

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from dev.bench.cluster import ROOT, BenchError
from dev.bench.contestants.base import Contestant
from dev.bench.controllers import Controller
from dev.bench.samples import Failure, Results, Sample

# A contestant that cannot be measured three times is left out of the rest.
MOST_FAILURES = 3


class Record:
    """The results of one run, and the file that has them at any time."""

    def __init__(self, results: Results, file: Path) -> None:
        self.results = results
        self._file = file
        self._began = time.monotonic()
        self._one_at_a_time = threading.Lock()  # copies of Flagger end whenever they like

    def take(self, sample: Sample) -> None:
        """Adds a sample."""
        with self._one_at_a_time:
            self.results.samples.append(sample)
            self.results.write(self._file)
        moved = f"last old {sample.last_old:7.3f} s  cut-over {sample.cut_over_ms:6.1f} ms  " if sample.new else ""
        answered = f"{sample.failed} of {sample.requests:,} failed" if sample.requests else ""
        self.say(f"{sample.contestant:<16} {sample.kind:<15} {sample.load:<7} {moved}end {sample.end:7.3f} s  {answered}")

    def fail(self, contestant: Contestant, kind: str, number: int, error: Exception) -> None:
        """Adds a failed attempt."""
        reason = str(error).replace(str(ROOT), ".")  # the file of results is for other machines too
        with self._one_at_a_time:
            self.results.failures.append(Failure(contestant=contestant.name, kind=kind, round=number, reason=reason))
            self.results.write(self._file)
        self.say(f"FAILED: {contestant.name}, {kind}: {error}")

    def is_out(self, contestant: Contestant) -> bool:
        """Whether `contestant` has failed too often to go on."""
        return sum(each.contestant == contestant.name for each in self.results.failures) >= MOST_FAILURES

    def note_memory(self, running: Mapping[str, Controller]) -> None:
        """Adds what each controller holds now."""
        for name, controller in running.items():
            readings = self.results.memory.setdefault(name, [])
            with suppress(BenchError):  # one that has ended shows in the samples to come
                readings.append(controller.resident_bytes())

    def say(self, text: str) -> None:
        """A line for whoever watches, with the time since the beginning."""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        print(f"{minutes:3}:{seconds:02}  {text}\n", end="", flush=True)  # in one piece: copies of Flagger speak at once

"""A way to the API server on which requests are answered by something else, or not at all, once each."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.engine.recorder import IS_LOST, PASSES, STALLS, Request, recording

# What happens to a request, beside IS_LOST and STALLS. `REDIRECTS`: something in between wants a login.
REDIRECTS, BUSY, ERROR, UNAVAILABLE = "302", "429", "500", "503"
__all__ = ["BUSY", "ERROR", "IS_LOST", "REDIRECTS", "STALLS", "UNAVAILABLE", "Fault", "Way", "unsteady"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Happens once, to the first request of this project's own client that it is for, after `skipped` such requests."""

    what: str
    method: str
    path: str
    skipped: int = 0


class Way:
    """Leads to the API server, over plain HTTP at `url`."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._seen: dict[Fault, int] = {}
        self._lock = threading.Lock()
        self.happened: list[str] = []
        self.url = ""

    def expect(self, *faults: Fault) -> None:
        """Makes these happen from now on, each once."""
        with self._lock:
            self._faults = list(faults)
            self._seen = {}
            self.happened = []

    def fault_for(self, request: Request) -> str:
        """What happens to this request; usually nothing."""
        with self._lock:
            for fault in self._faults if request.agent == "bluegreen" else ():
                if request.method != fault.method or fault.path not in request.path:
                    continue
                self._seen[fault] = self._seen.get(fault, 0) + 1
                if self._seen[fault] > fault.skipped:
                    self._faults.remove(fault)
                    self.happened.append(fault.what)
                    return fault.what
                return PASSES
        return PASSES


@contextlib.contextmanager
def unsteady(kubeconfig: Path) -> Iterator[Way]:
    """A way to the cluster of a kubeconfig, while this lasts."""
    way = Way()
    with recording(kubeconfig, way.fault_for) as (way.url, _):
        yield way

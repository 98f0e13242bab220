"""The responses of a load, as columns: a minute has 100,000 of them, and objects would cost too much CPU time."""

from __future__ import annotations  # array[int] is no expression before Python 3.12

from array import array
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One row per request, in no particular order.

    A request failed if its error is not empty: no complete response, a status other than 2xx, or no color although one was
    expected.

    Times are nanoseconds since 1970. The load generator reads the wall clock once at its start, and the monotonic clock from
    then on. So differences within one Answers are exact even if the wall clock is set meanwhile. If it is not, the times are
    comparable with `time.time_ns()` on the same machine.
    """

    started: array[int] = field(default_factory=lambda: array("q"))
    """When a worker started the request, before it connected, in ns."""
    ended: array[int] = field(default_factory=lambda: array("q"))
    """When the last byte of the response was read or the request failed, in ns."""
    status: array[int] = field(default_factory=lambda: array("H"))
    """The HTTP status, 0 without a complete response."""
    color: list[str] = field(default_factory=list)
    """The color in the response's header, empty without one."""
    error: list[str] = field(default_factory=list)
    """Why the request failed, empty if it succeeded."""

    def __len__(self) -> int:
        return len(self.error)

    def append(self, started: int, ended: int, status: int, color: str, error: str) -> None:
        """Adds a row. The error is added last, because readers in other threads use its length as the number of rows."""
        self.started.append(started)
        self.ended.append(ended)
        self.status.append(status)
        self.color.append(color)
        self.error.append(error)

    def copy(self) -> Answers:
        """A copy of the rows so far. Safe while another thread appends."""
        rows = len(self)
        return Answers(
            started=self.started[:rows],
            ended=self.ended[:rows],
            status=self.status[:rows],
            color=self.color[:rows],
            error=self.error[:rows],
        )

    def between(self, since_ns: int, until_ns: int) -> Answers:
        """The rows with since_ns <= ended < until_ns, so that adjacent windows contain every row once."""
        rows = [row for row, ended in enumerate(self.ended) if since_ns <= ended < until_ns]
        return Answers(
            started=array("q", [self.started[row] for row in rows]),
            ended=array("q", [self.ended[row] for row in rows]),
            status=array("H", [self.status[row] for row in rows]),
            color=[self.color[row] for row in rows],
            error=[self.error[row] for row in rows],
        )

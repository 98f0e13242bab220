"""What came of each request, in columns: a minute of load is a hundred thousand rows, and the machine is busy."""

from __future__ import annotations  # array[int] is no expression before Python 3.12

from array import array
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Answers:
    """One row for each request that was sent, in no particular order.

    A request failed when its error is not empty: no whole answer, any status but 2xx (3xx and 4xx too), or no color
    where one was expected.

    Times are nanoseconds since 1970. The load generator reads the wall clock once, when it starts, and counts on from
    there by the monotonic clock: distances within one Answers are exact even if the wall clock is set meanwhile, and
    the times compare with `time.time_ns()` of the same machine as long as it is not.
    """

    started: array[int] = field(default_factory=lambda: array("q"))
    """When a worker took the request up, before it connected. ns."""
    ended: array[int] = field(default_factory=lambda: array("q"))
    """When the last byte of the answer was read, or the request was given up. ns."""
    status: array[int] = field(default_factory=lambda: array("H"))
    """The HTTP status, 0 without a whole answer."""
    color: list[str] = field(default_factory=list)
    """The color the answer's header named, empty for none."""
    error: list[str] = field(default_factory=list)
    """Why the request counts as failed, empty when it does not."""

    def __len__(self) -> int:
        return len(self.error)

    def append(self, started: int, ended: int, status: int, color: str, error: str) -> None:
        """Add a row. The error goes last: a reader in another thread trusts the rows up to `len` of it."""
        self.started.append(started)
        self.ended.append(ended)
        self.status.append(status)
        self.color.append(color)
        self.error.append(error)

    def copy(self) -> Answers:
        """Return the rows that are complete now, safe to read while another thread appends."""
        rows = len(self)
        return Answers(
            started=self.started[:rows],
            ended=self.ended[:rows],
            status=self.status[:rows],
            color=self.color[:rows],
            error=self.error[:rows],
        )

    def between(self, since_ns: int, until_ns: int) -> Answers:
        """Return the rows answered from since_ns on and before until_ns: windows that touch share no row, miss none."""
        rows = [row for row, ended in enumerate(self.ended) if since_ns <= ended < until_ns]
        return Answers(
            started=array("q", [self.started[row] for row in rows]),
            ended=array("q", [self.ended[row] for row in rows]),
            status=array("H", [self.status[row] for row in rows]),
            color=[self.color[row] for row in rows],
            error=[self.error[row] for row in rows],
        )

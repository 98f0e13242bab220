"""Computes figures from responses. Pure functions, tested with made-up responses.

Every function uses all responses it is given; select those of a step with `Answers.between` first.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dev.traffic.answers import Answers

NS_PER_MS = 1_000_000
SHOWN_ERRORS = 5


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The number of requests by result: `requests` is `failed` plus the sum of `succeeded`."""

    requests: int
    failed: int
    succeeded: dict[str, int]
    """Successful responses by color, "" for those without one."""
    errors: tuple[str, ...]
    """The errors of the first failures, in order of time, at most SHOWN_ERRORS."""


@dataclass(frozen=True, kw_only=True)
class CutOver:
    """A switch of users from one color to another, as the responses show it."""

    old: str
    new: str
    first_new_ns: int
    last_old_ns: int

    @property
    def milliseconds(self) -> float:
        """How long both colors responded; 0 if the last response of the old color came before the first of the new."""
        return max(0, self.last_old_ns - self.first_new_ns) / NS_PER_MS


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Responses counted in bins of equal length; bin i begins at start_ns + i * bin_ns."""

    start_ns: int
    bin_ns: int
    succeeded: dict[str, list[int]]
    failed: list[int]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Latencies of the successful responses of one color, in milliseconds."""

    p50: float
    p95: float
    p99: float
    max: float


def totals(answers: Answers) -> Totals:
    """Counts the responses."""
    failures = sorted((answers.ended[row], error) for row, error in enumerate(answers.error) if error)
    succeeded = Counter(color for color, error in zip(answers.color, answers.error, strict=True) if not error)
    return Totals(
        requests=len(answers),
        failed=len(failures),
        succeeded=dict(sorted(succeeded.items())),
        errors=tuple(error for _, error in failures[:SHOWN_ERRORS]),
    )


def cut_over(answers: Answers, old: str, new: str) -> CutOver | None:
    """Measures a switch, from the first response of the new color to the last of the old one, over all connections.

    Failed responses with a color count too, because that color still served. `answers` must contain one switch only. None if
    one of the colors did not respond at all.
    """
    last_old_ns = max((at for at, color in zip(answers.ended, answers.color, strict=True) if color == old), default=None)
    first_new_ns = min((at for at, color in zip(answers.ended, answers.color, strict=True) if color == new), default=None)
    if last_old_ns is None or first_new_ns is None:
        return None
    return CutOver(old=old, new=new, first_new_ns=first_new_ns, last_old_ns=last_old_ns)


def histogram(answers: Answers, bin_ms: float = 100) -> Histogram:
    """Counts successful responses by color, and failures, in bins of bin_ms milliseconds by the time they ended.

    The bins cover the time from the first response to the last; without responses there are none. Raises ValueError if bin_ms
    is less than a nanosecond.
    """
    bin_ns = round(bin_ms * NS_PER_MS)
    if bin_ns < 1:
        raise ValueError(f"bin_ms={bin_ms} must be at least a nanosecond; it is the length of a bin in ms, such as 100")
    start_ns = min(answers.ended, default=0)
    bins = (max(answers.ended) - start_ns) // bin_ns + 1 if answers else 0
    succeeded = {color: [0] * bins for color in sorted(totals(answers).succeeded)}
    failed = [0] * bins
    for ended, color, error in zip(answers.ended, answers.color, answers.error, strict=True):
        (failed if error else succeeded[color])[(ended - start_ns) // bin_ns] += 1
    return Histogram(start_ns=start_ns, bin_ns=bin_ns, succeeded=succeeded, failed=failed)


def latencies(answers: Answers) -> dict[str, Latency]:
    """The latency percentiles (nearest rank) of the successful responses, by color."""
    by_color: dict[str, list[int]] = {}
    for row, error in enumerate(answers.error):
        if not error:
            by_color.setdefault(answers.color[row], []).append(answers.ended[row] - answers.started[row])
    return {color: _latency(sorted(spans)) for color, spans in sorted(by_color.items())}


def _latency(spans: Sequence[int]) -> Latency:
    def percentile(share: int) -> float:
        return spans[math.ceil(share * len(spans) / 100) - 1] / NS_PER_MS

    return Latency(p50=percentile(50), p95=percentile(95), p99=percentile(99), max=percentile(100))

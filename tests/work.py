"""Counts what makes a run of the tests long: commands, environments and loads. The counts are the same on every host."""

from collections import Counter

# What was started -> how often, in this process.
done: Counter[str] = Counter()


def summary(counts: Counter[str]) -> str:
    """The counts in one line."""
    return "started: " + ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))

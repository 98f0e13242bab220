"""What makes a run of the tests long: it is counted, which comes to the same on every host, and it is made cheaper."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

# What was started -> how often, in this process.
done: Counter[str] = Counter()


def summary(counts: Counter[str]) -> str:
    """The counts in one line."""
    return "started: " + ", ".join(f"{count:,} {what}" for what, count in sorted(counts.items()))


def cheaper(directory: Path) -> dict[str, str]:
    """Variables with which an update does the same for three quarters of the CPU time. `directory` is for a file of theirs.

    Go collects garbage less often, the list of Python packages is made only once (see tests/fast/pip), and Python keeps its
    bytecode, also where containers turn that off.
    """
    listed = directory / "pip-list.json"
    command = [sys.executable, "-m", "pip", "list", "-v", "--format", "json"]
    listed.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    fast = Path(__file__).parent / "fast"
    return {"GOGC": "800", "PYTHONPATH": str(fast), "PIP_LIST_FILE": str(listed), "PYTHONDONTWRITEBYTECODE": ""}

"""What a person asks for in between is answered before they wonder. Measured on a machine that does nothing else."""

import statistics
import subprocess
import time
from typing import Any

from tests.cluster import ROOT
from tests.conftest import Environments
from tests.stack import BOTH_COLORS, Environment

LONGEST_SECONDS = 0.5
RUNS = 5


def seconds(words: list[str], environment: Environment) -> float:
    began = time.monotonic()
    command = [str(ROOT / "bin" / "bluegreen"), *words]
    ran = subprocess.run(
        command, env=dict(environment.cluster.variables), capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran
    return time.monotonic() - began


def test_questions_are_answered_at_once(new_environment: Environments, figures: Any) -> None:
    environment = new_environment(BOTH_COLORS)
    environment.up()
    where = ["--stack", environment.name, "--config-file", str(environment.config_file)]
    for words in (["--help"], ["--version"], ["activate", "--help"], ["status", *where], ["status", "--json", *where]):
        median = statistics.median(seconds(words, environment) for _ in range(RUNS))
        figures(f"bluegreen {' '.join(words).partition(' --stack')[0]}: {median:.2f} s")
        assert median < LONGEST_SECONDS, words

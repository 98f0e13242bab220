"""What the tests started is shown in one line, and the list of packages that the engine gets is that of pip."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests import work


def test_the_counts_are_one_line() -> None:
    assert work.summary(Counter({"loads": 2, "environments": 1234})) == "started: 1,234 environments, 2 loads"


def test_the_engine_gets_the_list_of_pip_and_nothing_else_in_its_place(tmp_path: Path) -> None:
    variables = {**os.environ, **work.cheaper(tmp_path)}

    def pip(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pip", *arguments]
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

    listed = {package["name"]: package["version"] for package in json.loads(pip("list", "-v", "--format", "json").stdout)}
    assert "pulumi" in listed
    assert "not 'pip install pulumi'" in pip("install", "pulumi").stderr

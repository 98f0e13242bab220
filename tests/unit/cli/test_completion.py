"""A shell completes the words, the colors, the options and the stacks."""

import os
import subprocess

import pytest

from tests.cluster import ROOT


@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("de", {"deploy", "decommission"}),
        ("activate ", {"blue", "green"}),
        ("activate green --expect-", {"--expect-release", "--expect-image", "--expect-tested"}),
        ("status --stack bl", {"blue"}),
    ],
    ids=["words", "colors", "options", "stacks"],
)
def test_bash_completes(line: str, completed: set[str]) -> None:
    script = """
        eval "$(_BLUEGREEN_COMPLETE=bash_source bluegreen)"
        COMP_WORDS=(bluegreen "$@") COMP_CWORD=$#
        _bluegreen_completion bluegreen
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    path = f"{ROOT / 'bin'}:{os.environ['PATH']}"
    words = line.split(" ")
    ran = subprocess.run(
        ["bash", "-c", script, "bash", *words], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert set(ran.stdout.split()) == completed, ran

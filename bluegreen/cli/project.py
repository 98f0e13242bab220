"""The Pulumi project that the command works on: this repository."""

import functools
import re
from pathlib import Path

from bluegreen.release import stack_file

ROOT = Path(__file__).parents[2]


def stack_files() -> Path:
    """The directory of the stacks' config files: that of Pulumi.yaml, or the `stackConfigDir` in it."""
    return stack_file.stack_files(ROOT)


@functools.cache
def project_name() -> str:
    """The name of the project in Pulumi.yaml, found without parsing it; empty if it has none."""
    try:
        text = (ROOT / "Pulumi.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):  # the reader of the config reports it
        return ""
    found = re.search(r"""^name:\s*["']?([^"'#\s]*)""", text, re.MULTILINE)
    return found[1] if found else ""

"""Records the environments of a version: `python -m tests.upgrade VERSION [--program DIRECTORY]`, on the sandbox."""

import argparse
import tempfile
from pathlib import Path

from tests.cluster import ROOT, connect
from tests.upgrade.recorded import HERE, record

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("version", help="the name of the directory in tests/upgrade/")
parser.add_argument("--program", type=Path, default=ROOT, help="a checkout of that version; this one by default")
given = parser.parse_args()
for routing in ("istio", "selector"):
    with tempfile.TemporaryDirectory() as directory:
        record(connect(), given.program.resolve(), Path(directory) / "environment", HERE / given.version / routing, routing)

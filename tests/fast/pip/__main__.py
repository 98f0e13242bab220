"""Prints the packages of this Python, which the engine lists before each update: pip itself takes a fifth of an update for it.

The list is made once, by pip, when the tests connect to the cluster; nothing is installed while they run. The pipelines of
`examples/` and `make demo` run pip itself.
"""

import os
import sys
from pathlib import Path

if sys.argv[1:] != ["list", "-v", "--format", "json"]:
    sys.exit(f"the tests know only 'pip list -v --format json', not 'pip {' '.join(sys.argv[1:])}'")
print(Path(os.environ["PIP_LIST_FILE"]).read_text())

"""`python -m automation`, and what bin/bluegreen runs."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = [str(Path(__file__).parents[1])]
    from automation.cli import main

    main()

"""`python -m bluegreen.cli`, and what bin/bluegreen runs."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = [str(Path(__file__).parents[2])]
    from bluegreen import startup

    startup.command()
    from bluegreen.cli.main import main

    main()

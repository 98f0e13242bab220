"""`python -m automation`, and what bin/bluegreen runs."""

import atexit
import gc
import sys
from pathlib import Path

if __name__ == "__main__":
    # What is imported stays. Looking through it for garbage, meanwhile and once more at the end, takes a third of the time that
    # this process works.
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
    sys.path[:1] = [str(Path(__file__).parents[2])]
    from bluegreen.cli.main import main

    main()

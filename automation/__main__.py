"""`python -m automation`, and what bin/bluegreen runs."""

import gc
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:1] = [str(Path(__file__).parents[1])]
    if sys.argv[1:2] == ["rollback"] and "--now" in sys.argv:
        # Before everything that takes time. Nothing here is worth collecting before it has ended.
        gc.disable()
        from automation import emergency

        emergency.begin(sys.argv[2:])
        gc.enable()

    from automation.cli import main

    main()

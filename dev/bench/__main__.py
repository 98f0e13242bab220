"""`python -m dev.bench`: `run` measures and reports, `report` only reports, `quick` compares with a bare program."""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import dev.bench
from dev.bench import quick, run, table
from dev.bench.cluster import ROOT, BenchError
from dev.bench.results import Results
from dev.sandbox import layout
from dev.sandbox.errors import SandboxError
from dev.traffic.vegeta import LoadError

RESULTS = ROOT / "dev" / "bench" / "results"


def main() -> int:
    """Returns the exit status: 0, or 1 if a measurement or a request failed, or if the quick comparison was lost."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=dev.bench.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    full = commands.add_parser("run", help="measure all contestants, then report (an hour)")
    full.set_defaults(run=_run)
    full.add_argument("--rounds", type=int, default=10, help="samples of each kind (default 10)")
    slugs = [contestant.slug for contestant in run.ALL]
    full.add_argument("--contestants", nargs="+", choices=slugs, default=slugs, help="default: all")
    full.add_argument("--results", type=Path, help="a file for the results; README and docs stay as they are")
    commands.add_parser("report", help="write the newest results into README and docs").set_defaults(run=_report)
    commands.add_parser("quick", help="compare a switch with that of a bare Pulumi program").set_defaults(run=_quick)
    arguments = parser.parse_args()
    # A shell's background job ignores Ctrl-C, and so would the engine: it then waits five seconds for its plugins to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if os.environ.get("KUBECONFIG") != str(layout.current().kubeconfig):
            raise BenchError("This shell does not lead to the sandbox: use `make bench` or `make bench-quick`.")
        return int(arguments.run(arguments))
    except (BenchError, SandboxError, LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _run(arguments: argparse.Namespace) -> int:
    file = arguments.results or RESULTS / time.strftime("%Y-%m-%d-%H%M.json", time.gmtime())
    chosen = [contestant() for contestant in run.ALL if contestant.slug in arguments.contestants]
    began = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    results = Results(began=began, setting=run.setting(), contestants=[contestant.name for contestant in chosen])
    run.Run(chosen, results, file).go(arguments.rounds)
    print(f"{table.table(results)}\n\n{table.caption(results)}\n\nEvery sample: {file}")
    if not arguments.results:
        for older in set(RESULTS.glob("*.json")) - {file}:
            older.unlink()
        _report(arguments)
    return int(bool(results.failures or any(sample.failed for sample in results.samples)))


def _report(_: argparse.Namespace) -> int:
    results = Results.read(max(RESULTS.glob("*.json")))
    for page in table.PAGES:
        table.replace_block(page, f"{table.table(results)}\n\n{table.caption(results)}")
    return 0


def _quick(_: argparse.Namespace) -> int:
    said, may_pass = quick.verdict(quick.compare())
    print(said)
    return 0 if may_pass else 1


if __name__ == "__main__":
    sys.exit(main())

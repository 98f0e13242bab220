"""`python -m bench`: measures and reports; `report` only reports; `quick` is the comparison that every change must pass."""

import argparse
import fcntl
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import dev.bench
from dev.bench import cluster, machine, quick, schedule
from dev.bench.cluster import ROOT, BenchError
from dev.bench.contestants import ALL
from dev.bench.report.publish import publish
from dev.bench.samples import Results
from dev.bench.schedule import Settings
from dev.sandbox.errors import SandboxError
from dev.traffic.vegeta import LoadError

RESULTS = ROOT / "dev" / "bench" / "results"


def main() -> int:
    """Returns the exit status: 0, or 1 when a measurement failed, a request failed or the quick comparison was lost."""
    arguments = _parser().parse_args()
    # A shell's background job ignores Ctrl-C, and so would the engine: it then waits five seconds for its plugins to end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return int(arguments.run(arguments))
    except (BenchError, SandboxError, LoadError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    usual = Settings()
    parser = argparse.ArgumentParser(prog="python -m dev.bench", description=dev.bench.__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    full = commands.add_parser("run", help="measure all contestants, then report (an hour)")
    full.set_defaults(run=_run)
    full.add_argument("--rounds", type=int, default=usual.rounds, help=f"samples of each kind (default {usual.rounds})")
    full.add_argument("--contestants", default=",".join(usual.contestants), help=f"some of {','.join(usual.contestants)}")
    full.add_argument("--rate", type=int, default=usual.rate, help=f"requests a second (default {usual.rate})")
    full.add_argument("--probe", type=int, default=usual.probe, help=f"the same, on an idle machine (default {usual.probe})")
    full.add_argument("--minute", type=float, default=usual.minute, help="seconds from a release to its rollback (default 60)")
    steady = f"requests while ours switch again and again at that rate; 0 for none (default {usual.steady_requests:,})"
    full.add_argument("--steady-requests", type=int, default=usual.steady_requests, help=steady)
    most = f"the same, under as much load as the machine gives (default {usual.full_requests:,})"
    full.add_argument("--full-requests", type=int, default=usual.full_requests, help=most)
    full.add_argument(
        "--flagger-batches", type=int, default=usual.flagger_batches, help="five releases and five rollbacks of Flagger each"
    )
    full.add_argument("--results", type=Path, help="folder for the results; with it, README and docs stay as they are")
    report = commands.add_parser("report", help="only make the table and the pictures from the latest results")
    report.set_defaults(run=_report)
    report.add_argument("file", type=Path, nargs="?", help="results; without it the latest in bench/results")
    report.add_argument("--into", type=Path, help="folder for table and pictures; README and docs stay as they are")
    commands.add_parser("quick", help="ours beside the bare program; fails when it costs too much").set_defaults(run=_quick)
    return parser


@contextmanager
def _alone() -> Iterator[None]:
    """Raises BenchError when another benchmark is at work: each would measure the other."""
    cluster.refuse_unknown_clusters()
    with (ROOT / ".sandbox" / "bench.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BenchError("another benchmark is running on this sandbox: wait for its end") from None
        yield


def _run(arguments: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(arguments).items() if name in vars(Settings())}
    settings = Settings(**given | {"contestants": tuple(arguments.contestants.split(","))})
    known = {each.slug: each.name for each in ALL}
    if unknown := set(settings.contestants) - set(known):
        raise BenchError(f"nobody is called {', '.join(sorted(unknown))}: choose among {', '.join(known)}")
    file = (arguments.results or RESULTS) / time.strftime("%Y-%m-%d-%H%M.json", time.gmtime())
    file.parent.mkdir(parents=True, exist_ok=True)
    cluster.refuse_clusters_of_others()
    with _alone():
        results = Results(
            began=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            settings=asdict(settings),
            machine=machine.machine(),
            versions=machine.versions(),
            contestants=[name for slug, name in known.items() if slug in settings.contestants],
        )
        since = machine.processor_time()
        schedule.Run(settings, results, file).go()
        results.machine = {**results.machine, "stolen_percent": machine.stolen_percent(since)}
        results.finished = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        results.write(file)
    print(publish(file, arguments.results))
    return _verdict(results)


def _verdict(results: Results) -> int:
    """0 when every attempt was measured and no request failed."""
    failed = sum(each.failed for each in results.samples)
    if not failed and not results.failures:
        return 0
    counted = f"{len(results.failures)} attempts and {failed} requests failed"
    print(f"bench: {counted}; the page with the results lists them", file=sys.stderr)
    return 1


def _report(arguments: argparse.Namespace) -> int:
    file = arguments.file or max(RESULTS.glob("*.json"), default=None)
    if file is None:
        raise BenchError("there are no results in bench/results yet: make bench")
    print(publish(file, arguments.into))
    return 0


def _quick(_: argparse.Namespace) -> int:
    with _alone():
        verdict = quick.run()
    print(verdict)
    for complaint in verdict.complaints:
        print(f"bench: {complaint}", file=sys.stderr)
    return 1 if verdict.complaints else 0


if __name__ == "__main__":
    sys.exit(main())

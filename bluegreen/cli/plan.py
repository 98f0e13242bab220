"""`plan`: what an update would do, for people: which users move, what testers see, which pods change.

The summary for a pull request is deterministic, and begins with a marker that is hidden and names project and stack, so that
one comment can be found and updated in place. When it is too long the diff is cut, never the summary.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import click

from bluegreen.cli.options import RELEASE_FROM_STATE, changing
from bluegreen.cli.outcomes import ReleaseError
from bluegreen.cli.progress import SYMBOLS, Progress
from bluegreen.cli.pulumi_sentences import PREVIEW_PASSING
from bluegreen.cli.session import Session
from bluegreen.cli.updates import EngineStep, Record, UpdateError
from bluegreen.release.colors import COLORS, other
from bluegreen.release.config_keys import PROJECT
from bluegreen.release.image import Image
from bluegreen.release.live import Live
from bluegreen.release.settings import Settings

# A comment on GitHub has room for 65,536 characters.
LONGEST = 60_000
MOST_ROWS = 40


@click.command("plan")
@click.option("--markdown", "as_markdown", is_flag=True, help="Write a summary for a pull request.")
@RELEASE_FROM_STATE
@changing
def command(session: Session, as_markdown: bool) -> None:
    """Show what `up` would do, and change nothing.

    Shows which users and testers would move, and which pods would change. If `up` would be refused, the exit status is 13.
    """
    plan(session, as_markdown)


def plan(session: Session, as_markdown: bool) -> None:
    """Shows what an update would do, also when it would be refused; the refusal then ends the command."""
    failure: UpdateError | None = None
    try:
        record = session.stack().preview()
    except UpdateError as error:
        record, failure = error.record, error
        record.errors = record.errors or [str(error)]
    settings = session.selection.settings()
    try:
        live = session.live()
    except ReleaseError:
        live = None  # the program has warned of that
    made = make(record, settings, live, project=PROJECT, stack=session.selection.stack)
    if made.steps:
        made = replace(made, manifest="\n".join(filter(None, [made.manifest, *_differing_values(session, settings)])))
    show(made, session.progress, as_markdown=as_markdown)
    if failure:
        raise failure


def _differing_values(session: Session, settings: Settings) -> Iterator[str]:
    """The keys of Secrets whose values differ between the colors: their snapshots have the same text there."""
    if not all(name in settings.service.colors and settings.service.colors[name].secret_data for name in COLORS):
        return
    from bluegreen.cli.secret_data import SecretStore

    try:
        found = SecretStore(stack=session.selection.stack, file=session.selection.config_file).differing()
    except ReleaseError:
        return  # nothing here can decrypt them, and a plan does not need them
    yield from (f"# {key} has another value" for key in found)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an update would do. `traffic` and `testers` read "blue 1.0 -> green 2.0", or "blue 1.0" when nothing moves.

    `manifest` is what differs between the manifest of the color that users are on and that of the other color.

    `room` reads "6 pods -> 2 pods" when users move: the ready pods that serve them now, and those that will; else it is empty.
    """

    project: str
    stack: str
    host: str
    verdict: str
    traffic: str
    room: str
    testers: str
    pods: list[str]
    steps: list[EngineStep]
    refusals: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    diff: str = ""
    manifest: str = ""


def make(record: Record, settings: Settings, live: Live | None, *, project: str, stack: str) -> Plan:
    """The plan that a preview amounts to. `live` is None when the cluster could not be read."""
    before = {name: Image.parse(color.called).short for name, color in live.colors.items()} if live else {}
    after = {name: Image.parse(color.image).short for name, color in settings.service.colors.items()}
    was = (live.active, live.test) if live else (settings.active_color, settings.test_color)
    steps = sorted((step for step in record.began if step.is_object), key=lambda step: (step.kind, step.name, step.operation))
    pods = list(_pods(settings, steps, before, after))
    return Plan(
        project=project,
        stack=stack,
        host=settings.url or settings.host,
        verdict=_verdict(record, steps, live, settings.active_color),
        traffic=_moves(was[0], settings.active_color, before, after),
        room=_room(live, settings.active_color) if live else "",
        testers=_moves(was[1], settings.test_color, before, after),
        pods=pods,
        steps=steps,
        refusals=record.errors,
        warnings=record.warnings,
        diff="\n".join(line.rstrip() for line in record.text.splitlines() if not PREVIEW_PASSING.match(line)),
        manifest=_manifest(settings, was[0]) if steps else "",
    )


def _manifest(settings: Settings, active: str) -> str:
    colors = settings.service.colors
    old, new = colors.get(active), colors.get(other(active)) if active else None
    if old is None or new is None or old.snapshot is None or new.snapshot is None:
        return ""
    from bluegreen.cli.snapshot_diff import difference

    return difference(old, new)


def _moves(was: str, becomes: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    old = f"{was} {before.get(was, '')}".strip() or "nobody"
    new = f"{becomes} {after.get(becomes, '')}".strip() or "nobody"
    return new if old == new or (was == becomes and was not in before) else f"{old} -> {new}"


def _room(live: Live, becomes: str) -> str:
    leaves, target = live.colors.get(live.active), live.colors.get(becomes)
    if leaves is None or target is None or live.active == becomes:
        return ""
    return f"{_pods_of(leaves.ready)} -> {_pods_of(target.room)}"


def _pods_of(count: int) -> str:
    return f"{count} pod" if count == 1 else f"{count} pods"


def _verdict(record: Record, steps: Sequence[EngineStep], live: Live | None, becomes: str) -> str:
    if record.is_refused:
        return "refused"
    if record.errors:
        return "error"
    if not steps:
        return "nothing changes"
    if any("replace" in step.operation for step in steps):
        return "resources are replaced"
    if live and not live.active:
        return "the first installation" if not live.colors and live.route_owner is None else f"users get {becomes}"
    if live and live.active != becomes:
        return f"users move to {becomes}"
    return "users stay where they are"


def _pods(
    settings: Settings, steps: Sequence[EngineStep], before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[str]:
    app = settings.service.name
    for step in steps:
        for color in COLORS:
            if (step.kind, step.name) == ("Deployment", f"{app}-{color}"):
                yield f"{color}: {before.get(color, 'none')} -> {after.get(color, 'none')}"


def markdown(plan: Plan) -> str:
    """The summary for a pull request, at most `LONGEST` characters."""
    head = "\n".join(_summary(plan))
    if not plan.diff or plan.refusals or not plan.steps:
        return head + "\n"
    opening, closing = "\n\n<details><summary>Diff</summary>\n\n````diff\n", "\n````\n\n</details>\n"
    room = LONGEST - len(head) - len(opening) - len(closing)
    return head + opening + _cut(plan.diff, room) + closing


def _cut(text: str, room: int, whole: str = "pulumi preview --diff") -> str:
    if len(text) <= room:
        return text
    notice = f"\n... cut here; the whole diff: {whole}"
    return text[: max(0, room - len(notice))].rpartition("\n")[0] + notice


def _summary(plan: Plan) -> Iterator[str]:
    yield f"<!-- bluegreen plan: {plan.project}/{plan.stack} -->"
    yield f"### {plan.stack}: {plan.verdict}"
    yield ""
    yield f"`{plan.host}`: {_traffic(plan)}"
    yield ""
    if plan.manifest:
        yield "What differs in the manifest, from the color of the users to the other one:"
        yield from ["", "````diff", *_cut(plan.manifest, LONGEST // 3, "bluegreen plan --json").splitlines(), "````", ""]
    for refusal in plan.refusals:
        first, _, rest = refusal.partition("\n")
        yield f"**{first}**"
        yield from ["", "````", *rest.strip("\n").splitlines(), "````"] if rest.strip() else []
        yield ""
    yield f"- Testers: {plan.testers}"
    yield f"- Pods: {'; '.join(plan.pods) or 'none change'}"
    yield from (f"- Warning: {warning.splitlines()[0]}" for warning in plan.warnings)
    if plan.steps:
        yield from ["", "| | kind | name | what differs |", "|---|---|---|---|"]
        yield from map(_row, plan.steps[:MOST_ROWS])
    if len(plan.steps) > MOST_ROWS:
        yield f"\nand {len(plan.steps) - MOST_ROWS} more"


def _traffic(plan: Plan) -> str:
    return f"{plan.traffic} ({plan.room})" if plan.room else plan.traffic


def _row(step: EngineStep) -> str:
    differs = ", ".join(f"`{path}`" for path in sorted(step.differs)[:4]) + (" ..." if len(step.differs) > 4 else "")
    return f"| `{SYMBOLS.get(step.operation, step.operation)}` | {step.kind} | {step.name} | {differs} |"


def show(plan: Plan, progress: Progress, *, as_markdown: bool) -> None:
    """On stdout: for a pull request, for machines, or for a person at a terminal."""
    if progress.is_json:
        fields: dict[str, Any] = asdict(plan)
        fields["steps"] = [{**asdict(step), "differs": sorted(step.differs)} for step in plan.steps]
        progress.json_line({"event": "plan", **fields})
    elif as_markdown:
        print(markdown(plan), end="")
    else:
        print(f"{plan.stack}: {plan.verdict}\n  {plan.host}: {_traffic(plan)}\n  testers: {plan.testers}")
        print(f"  pods:    {'; '.join(plan.pods) or 'none change'}")
        for warning in plan.warnings:
            print(f"  warning: {warning.splitlines()[0]}")
        for step in plan.steps:
            print(f"  {SYMBOLS.get(step.operation, step.operation):>2} {step.kind} {step.name}")

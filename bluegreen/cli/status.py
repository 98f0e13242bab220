"""`status`: what the route says, who answers users, what differs from the config, and what to do next.

Does not import Pulumi.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from bluegreen.cli.options import reading
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress, console
from bluegreen.cli.seen import Seen, begin_requests
from bluegreen.cli.selection import Selection
from bluegreen.environment import LiveEnvironment
from bluegreen.kube.cluster import LiveError
from bluegreen.release import metadata
from bluegreen.release.colors import COLORS, other
from bluegreen.release.image import Image
from bluegreen.release.live import Live, LiveColor, is_of_app
from bluegreen.release.objects import Object, as_items, as_mapping, as_text
from bluegreen.release.settings import Settings
from bluegreen.routing import find

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text


@click.command("status")
@click.option("--watch", "is_watching", is_flag=True, help="Show it again after every change, until Ctrl-C.")
@reading
def command(selection: Selection, progress: Progress, is_watching: bool) -> None:
    """Show the colors, the route, who serves users, and the next command.

    Also lists every difference between the config file and the cluster. Changes nothing.
    """
    if is_watching:
        watch(selection, progress)
    else:
        show(look(selection), progress)


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker of a color, by the name of its Deployment in the manifest."""

    name: str
    ready: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One color as people want to see it.

    `since` is when its Deployment was last written (ISO 8601), or empty. `share` is who gets the color by the route.
    `autoscaler` says why its autoscaler cannot scale it; it is empty if it can, and without one.
    """

    color: str
    role: str
    image: str
    release: str
    ready: int
    wanted: int
    since: str
    share: str
    owner: str
    autoscaler: str = ""
    workers: tuple[Worker, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Status:
    """An environment at a glance.

    `active` and `test` are the colors of users and testers by the route; `served` is who answered requests, None if none was
    sent. `drift` names each difference between the config and what is live, `foreign` what in the route this program did not
    write.
    """

    stack: str
    namespace: str
    routing: str
    active: str
    test: str
    rows: list[Row]
    drift: list[str]
    next: list[str]
    foreign: str = ""
    served: Seen | None = None


def look(selection: Selection) -> Status:
    """Reads the cluster once, and sends a few requests as users do. Raises `ReleaseError` if the cluster cannot be read."""
    settings, cluster = selection.settings(), selection.cluster()
    answers = begin_requests(selection.known_users())
    try:
        live = cluster.live()
    except LiveError as error:
        raise ReleaseError(Exit.ERROR, str(error)) from None
    deployments = [item for ref, item in live.objects.items() if ref.kind == "Deployment" and item]
    written = {as_text(_labels(item).get("color")): _written(item) for item in deployments}
    drift = list(differences(settings, live, selection.stack))
    problems = _autoscalers(cluster, settings.service.name)
    seen = answers() if live.active else None
    return Status(
        stack=selection.stack,
        namespace=settings.namespace,
        routing=find(settings.routing).NAME,
        active=live.active,
        test=live.test,
        foreign=live.foreign,
        served=seen,
        rows=[
            replace(_row(settings, live, name, color, written.get(name, "")), autoscaler=problems.get(name, ""))
            for name, color in sorted(live.colors.items())
        ],
        drift=drift,
        next=[
            *_fixing(settings, live),
            *_unserved(live, seen),
            *_keeping(settings, live),
            *next_commands(live, is_drifted=bool(drift), written=written),
        ],
    )


def _keeping(settings: Settings, live: Live) -> Iterator[str]:
    """The command that keeps users where they are, if the config says another color: `up` would move them."""
    if live.active and live.active != settings.active_color:
        yield f"bluegreen activate {live.active}: users stay on {live.active}, and the config says so"


def _fixing(settings: Settings, live: Live) -> Iterator[str]:
    """The command that removes from the route what this program did not write."""
    if live.foreign:
        ref = find(settings.routing).route(settings.service)[0]
        namespace = f" --namespace {settings.namespace}{f' --context {settings.context}' if settings.context else ''}"
        yield f"kubectl edit {ref.kind.lower()} {ref.name}{namespace}: the route holds what this program did not write"


def _unserved(live: Live, seen: Seen | None) -> Iterator[str]:
    """What to look at if users do not get the color of the route."""
    if seen and seen.differs(*live.serving):
        yield f"bluegreen status --watch: the route sends users to {live.active}, but {seen}"


def _autoscalers(cluster: LiveEnvironment, app: str) -> dict[str, str]:
    """Why the autoscaler of a color cannot scale it, by color. Empty also if this person may not read autoscalers."""
    try:
        listed = cluster.list_objects("autoscaling/v2", "HorizontalPodAutoscaler", color=None)
    except LiveError:
        return {}
    found = [(as_text(_labels(item).get("color")), item) for item in listed if is_of_app(app, item)]
    return {color: problem for color, item in found if (problem := cannot_scale(item))}


def _labels(item: Object) -> Mapping[str, Any]:
    return as_mapping(as_mapping(item.get("metadata")).get("labels"))


def cannot_scale(autoscaler: Object) -> str:
    """Why an autoscaler cannot scale, by its conditions; empty if it can. Never raises, whatever the object holds."""
    for condition in as_items(as_mapping(autoscaler.get("status")).get("conditions")):
        if condition.get("type") in ("AbleToScale", "ScalingActive") and condition.get("status") == "False":
            # At 0 replicas an autoscaler is off on purpose.
            if condition.get("reason") == "ScalingDisabled":
                continue
            message = " ".join(as_text(condition.get("message")).split())
            return f"{as_text(condition.get('reason'))}: {message[:160]}{'...' if len(message) > 160 else ''}"
    return ""


def _written(item: Object) -> str:
    """When the program last wrote the object, by the record that the cluster keeps of every writer."""
    described = as_mapping(item.get("metadata"))
    ours = [entry for entry in as_items(described.get("managedFields")) if entry.get("manager") == metadata.MANAGER]
    return max((as_text(entry.get("time")) for entry in ours), default="") or as_text(described.get("creationTimestamp"))


def _row(settings: Settings, live: Live, name: str, color: LiveColor, since: str) -> Row:
    roles = {live.test: "test"} | dict.fromkeys(live.serving, "live")
    testers = find(settings.routing).describe_testers(settings)
    users = "users in part" if live.foreign else "100 % of users"
    shares = {live.test: testers} | dict.fromkeys(live.serving, users)
    return Row(
        color=name,
        role=roles.get(name, "idle"),
        image=color.called,
        release=color.release,
        ready=color.ready,
        wanted=color.replicas,
        since=since,
        share=shares.get(name, ""),
        owner=color.owner,
        workers=tuple(
            Worker(name=worker.name, ready=worker.ready, wanted=worker.replicas)
            for _, worker in sorted(live.workers.items())
            if worker.color == name
        ),
    )


def differences(settings: Settings, live: Live, stack: str) -> Iterator[str]:
    """Each difference between the config and what is live, in words."""
    for role, wanted, present in (("active", settings.active_color, live.active), ("test", settings.test_color, live.test)):
        if wanted != present:
            yield f"the config has {wanted or 'no color'} as {role} color, the route {present or 'none'}"
    for name in COLORS:
        yield from _of_color(name, settings, live)
    for worker in live.workers.values():
        if worker.replicas and worker.color != settings.active_color:
            yield f"the worker {worker.name} of {worker.color} runs, and the config has {settings.active_color} as active color"
    owners = {color.owner.rpartition("/")[2] for color in live.colors.values()} - {stack.rpartition("/")[2]}
    for owner in sorted(owners):
        yield f"a color belongs to {f'the stack {owner}' if owner else 'no stack'}"


def _of_color(name: str, settings: Settings, live: Live) -> Iterator[str]:
    wanted, present = settings.service.colors.get(name), live.colors.get(name)
    if wanted is None or present is None:
        if wanted:
            yield f"{name} is not deployed, and the config has {wanted.image}"
        if present:
            yield f"{name} runs {present.image}, and the config does not have it"
        return
    if not present.runs(wanted.image):
        yield f"{name} runs {present.image}, and the config has {wanted.image}"
    if wanted.replicas != present.replicas and not wanted.max_replicas:
        yield f"{name} has {present.replicas} replicas, and the config {wanted.replicas}"


def next_commands(live: Live, *, is_drifted: bool, written: Mapping[str, str]) -> Iterator[str]:
    """The next commands, the most sensible first. `written` says when each color was written last (ISO 8601)."""
    if not live.colors:
        yield "bluegreen up: nothing is deployed yet"
        return
    idle = other(live.active) if live.active else ""
    present = live.colors.get(idle)
    serving = live.colors.get(live.active)
    if present and present.is_ready and serving and not serving.is_ready:
        yield f"bluegreen rollback --now: {live.active} is not ready, and {idle} is"
    if is_drifted or not idle:
        yield "bluegreen plan, then bluegreen up: brings what is live to what the config says"
        return
    if present is None:
        yield f"bluegreen deploy {idle} --image <tag>"
    elif not present.is_ready:
        yield f"bluegreen status --watch: {idle} is not ready"
        yield f"bluegreen deploy {idle} --image <tag>: another image"
    elif written.get(idle, "") < written.get(live.active, ""):
        yield f"bluegreen decommission {idle}: it is the older one"
        yield f"bluegreen rollback {idle}: users back on the older one"
    else:
        yield f"bluegreen activate {idle}" if live.test == idle else f"bluegreen test {idle}"
        yield f"bluegreen decommission {idle}"


def show(status: Status, progress: Progress) -> None:
    """As a table, or as one line of JSON."""
    if progress.is_json:
        progress.json_line({"event": "status", **asdict(status)})
    else:
        console().print(_rendered(status))


def _rendered(status: Status) -> "Group":
    from rich.console import Group
    from rich.text import Text

    repositories = {Image.parse(row.image).repository for row in status.rows}
    shared = repositories.pop() if len(repositories) == 1 else ""
    parts = [f"namespace {status.namespace}", f"routing {status.routing}", *([f"image {shared}"] if shared else [])]
    lines: list[Any] = [Text.assemble((status.stack, "bold"), "  ", ", ".join(parts))]
    if status.rows:
        lines.append(_table(status, is_short=bool(shared)))
    lines += [_workers(row) for row in status.rows if row.workers]
    lines += [_served(status)] if status.active else []
    lines += [
        Text(f"autoscaler: that of {row.color} cannot scale: {row.autoscaler}", style="yellow")
        for row in status.rows
        if row.autoscaler
    ]
    lines += [Text(f"foreign: {status.foreign}", style="yellow")] if status.foreign else []
    lines += [Text(f"drift: {difference}", style="yellow") for difference in status.drift]
    for place, suggestion in enumerate(status.next):
        command, colon, why = suggestion.partition(": ")
        lines.append(Text.assemble("   or: " if place else " next: ", (command, "bold"), f"{colon}{why}"))
    return Group(*lines)


def _workers(row: Row) -> "Text":
    from rich.text import Text

    listed = ", ".join(f"{worker.name} {worker.ready}/{worker.wanted}" for worker in row.workers)
    is_short = any(worker.ready < worker.wanted for worker in row.workers)
    return Text(f"workers of {row.color}: {listed}", style="red" if is_short else "")


def _served(status: Status) -> "Text":
    from rich.text import Text

    if status.served is None:
        return Text("served: not asked: nothing says where users come in (--url, or bluegreen:url)", style="yellow")
    return Text(f"served: {status.served}", style="yellow" if status.served.differs(status.active) else "")


def _table(status: Status, *, is_short: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("COLOR", "ROLE", "IMAGE", "RELEASE", "READY", "SINCE", "ROUTE", "OWNER"):
        table.add_column(column, overflow="fold")
    for row in status.rows:
        ready = Text(f"{row.ready}/{row.wanted}", style="" if row.ready >= row.wanted else "red")
        image = Image.parse(row.image).short if is_short else row.image
        cells: list[str | Text] = [
            row.role,
            image,
            row.release or "-",
            ready,
            ago(row.since),
            row.share or "-",
            row.owner.rpartition("/")[2],
        ]
        table.add_row(Text(row.color, style=row.color), *cells, style="bold" if row.role == "live" else "")
    return table


def ago(moment: str, now: datetime | None = None) -> str:
    """How long ago a moment was, in the largest unit that fits."""
    if not moment:
        return "-"
    seconds = int(((now or datetime.now(UTC)) - datetime.fromisoformat(moment)).total_seconds())
    units: Mapping[str, int] = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    unit, size = next(((unit, size) for unit, size in units.items() if seconds >= size), ("s", 1))
    return f"{max(seconds, 0) // size} {unit} ago"


def watch(selection: Selection, progress: Progress, interval_seconds: float = 1) -> None:
    """Shows the status until it is interrupted: in place on a terminal, and again whenever it has changed elsewhere."""
    with contextlib.suppress(KeyboardInterrupt):
        if progress.is_live:
            _watch_in_place(selection, interval_seconds)
        seen = None
        while True:
            status = look(selection)
            if status != seen:
                progress.line(f"{datetime.now():%H:%M:%S}")
                show(status, progress)
                seen = status
            time.sleep(interval_seconds)


def _watch_in_place(selection: Selection, interval_seconds: float) -> None:
    from rich.live import Live as Screen

    with Screen(console=console(), auto_refresh=False, vertical_overflow="visible") as screen:
        while True:
            screen.update(_rendered(look(selection)), refresh=True)
            time.sleep(interval_seconds)

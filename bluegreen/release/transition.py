"""From what is live to what is wanted: what moves, and which rules refuse it.

Plain functions over plain data: no Pulumi, no cluster. What is decided here is known before anything is touched;
`writes.py` decides what only shows when an object is written.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bluegreen.release import metadata, ownership
from bluegreen.release.about import About, Change, beyond
from bluegreen.release.image import Image
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.ownership import NOT_ASKED, Evidence
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.traffic import Move, Traffic, move


@dataclass(frozen=True, kw_only=True)
class WantedColor:
    """A color as the config wants it. `template` is the fingerprint of its pod template."""

    image: str
    template: str
    release: str = ""
    is_autoscaled: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """An environment as the config wants it, and who wants it.

    `expect` is what a promotion approves, or empty. `about` is the subcommand that runs the update, None for `up`. `evidence`
    is what the backend says about the stacks that own the environment, if that is not only `owner`.
    """

    owner: str
    traffic: Traffic
    expect: str = ""
    about: About | None = None
    evidence: Evidence = NOT_ASKED
    colors: Mapping[str, WantedColor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What an update does.

    `moves` is how users move, None if they stay; `changes` are the colors whose pods are made anew. `drifted` is the live color
    when somebody else has given it another image, or empty.
    """

    moves: Move | None
    changes: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    drifted: str = ""


def transition(live: Live, wanted: Wanted) -> Transition:
    """What turns `live` into `wanted`, with every refusal there is."""
    moves = move(live.traffic, wanted.traffic, live.also)
    changes = tuple(name for name in wanted.colors if _changes(live, wanted, name))
    # Whose environment it is comes first: the rest would speak of another stack's colors. Then what the subcommand is about: if
    # the config file is behind, the remedies of the rest would deploy what it says.
    refusals = [*ownership.refusal(ownership.foreign(live, wanted.owner), wanted.owner, wanted.evidence)]
    refusals = refusals or [*_beyond(live, wanted, moves, changes)]
    if not refusals:
        for name in sorted(live.serving):
            refusals += [*_live_color_stays(live, wanted, name, changes, moves)]
        refusals += [*_move(live, wanted, moves, changes)] if moves else []
    return Transition(moves=moves, changes=changes, refusals=tuple(refusals), drifted=_drifted(live, wanted, changes))


def _beyond(live: Live, wanted: Wanted, moves: Move | None, changes: tuple[str, ...]) -> Iterator[Refusal]:
    kept = [name for name in live.colors if name in wanted.colors]
    change = Change(
        users=moves,
        testers=(live.test, wanted.traffic.testers) if live.test != wanted.traffic.testers else None,
        pods=changes,
        images=[name for name in changes if name not in kept or _is_other_release(live.colors[name], wanted.colors[name])],
        removed=[name for name in live.colors if name not in wanted.colors],
        unscaled=[name for name in kept if live.colors[name].is_autoscaled and not wanted.colors[name].is_autoscaled],
    )
    yield from beyond(wanted.about, live, change)


def _is_other_release(present: LiveColor, wanted: WantedColor) -> bool:
    """Whether a color that runs gets another tag or digest. The repository is no part of a release.

    A color that is not ready was not deployed by a good update, so the last good one may take its place.
    """
    if not present.is_ready:
        return False
    before, after = Image.parse(present.called), Image.parse(wanted.image)
    return not {before.tag, before.digest} & {after.tag, after.digest} - {""}


def _changes(live: Live, wanted: Wanted, name: str) -> bool:
    present = live.colors.get(name)
    return present is None or present.template != wanted.colors[name].template


def _drifted(live: Live, wanted: Wanted, changes: tuple[str, ...]) -> str:
    for name in sorted(live.serving):
        present = live.colors.get(name)
        is_kept = present is not None and name in wanted.colors and name not in changes
        if is_kept and present and not present.runs(wanted.colors[name].image):
            return name
    return ""


def _live_color_stays(live: Live, wanted: Wanted, name: str, changes: tuple[str, ...], moves: Move | None) -> Iterator[Refusal]:
    """A color that users may get now: it is neither removed nor changed in place."""
    present = live.colors.get(name)
    if present is None:
        return
    serves = f"{name} ({present.image}) {'serves the users' if name == live.active else f'may serve users: {live.foreign}'}"
    if name not in wanted.colors:
        key = f"{name}:{'manifest' if metadata.APP in present.labels else 'imageTag'}"
        after = f"remove {key} in the update after the switch" if moves else f"keep {key}"
        yield Refusal(
            rule=Rule.WAY_BACK,
            asked=f"no {key}",
            live=serves,
            remedy=f"Keep the way back: {after}.",
            exception="remove-live",
        )
    elif name in changes and not moves:
        wanted_image = wanted.colors[name].image
        what = f"the image {wanted_image}" if not present.runs(wanted_image) else "another pod template"
        yield Refusal(
            rule=Rule.LIVE_STAYS,
            asked=f"{what} for {name}",
            live=serves,
            remedy="Give the new value to the other color, and let it reach the users by a switch.",
            exception="change-live",
        )


def _move(live: Live, wanted: Wanted, moves: Move, changes: tuple[str, ...]) -> Iterator[Refusal]:
    old, new = moves
    asked, target = str(moves), live.colors.get(new)
    if target is None:
        yield Refusal(
            rule=Rule.RUNS_ALREADY,
            asked=asked,
            live=f"{new} is not deployed",
            remedy=f"Deploy first, switch afterwards: pulumi config set activeColor {old} && pulumi up, then switch.",
            exception="switch-and-change",
        )
        return
    if changes:
        runs = "; ".join(f"{name} runs {live.colors[name].image}" for name in changes if name in live.colors)
        yield never_both(moves, f"new pods of {' and '.join(changes)}", runs)
    elif not target.runs(wanted.colors[new].image):
        yield Refusal(
            rule=Rule.SAME_IMAGE,
            asked=f"{asked}, with the image {wanted.colors[new].image}",
            live=f"{new} runs {target.image}, which this stack did not deploy",
            remedy=f"Fix the drift first: pulumi config set activeColor {old} && pulumi up, then switch.",
            exception="switch-and-change",
        )
    if not target.is_ready:
        yield unready(asked, new, target)
    yield from less_room(moves, live)
    if wanted.expect and not is_approved(target, wanted.colors[new].image, wanted.expect):
        yield unapproved(
            f"{asked}, expecting {wanted.expect}",
            new,
            target,
            "Approve what runs (pulumi config set expect <tag or release>), or deploy what was approved.",
        )


def never_both(moves: Move, change: str, live: str) -> Refusal:
    """The refusal of an update that moves users and makes a `change` of pods; `live` is what runs, in words."""
    return Refusal(
        rule=Rule.NEVER_BOTH,
        asked=f"{moves}, and {change}",
        live=live,
        remedy=f"Change the pods first: pulumi config set activeColor {moves.origin} && pulumi up, then switch.",
        exception="switch-and-change",
    )


def unready(asked: str, name: str, target: LiveColor) -> Refusal:
    """The refusal of a move to a color that is not ready."""
    settled = "" if target.is_settled else ", and pods are being replaced"
    return Refusal(
        rule=Rule.READY,
        asked=asked,
        live=f"{target.ready} of {target.replicas} pods of {name} are ready{settled}",
        remedy=f"Wait until {name} is ready, or fix it; users stay where they are.",
        exception="unready",
    )


def less_room(moves: Move, live: Live) -> Iterator[Refusal]:
    """Refuses a move of users to a color with fewer pods than the pods that serve them now.

    Only ready pods of the live color count: a live color with problems must not be harder to leave. A target that is not
    ready counts with the pods that it wants, because `unready` refuses it already.
    """
    old, new = moves
    leaves, target = live.colors.get(old), live.colors.get(new)
    if leaves is None or target is None or target.room >= leaves.ready:
        return
    pods = f"{leaves.ready} ready pod{'s' if leaves.ready > 1 else ''}"
    yield Refusal(
        rule=Rule.ROOM,
        asked=str(moves),
        live=f"{new} has room for {target.room} ({target.ready} of {target.replicas} pods are ready), {old} serves with {pods}",
        remedy=f"Scale {new} first: bluegreen activate {new} --match-room, or pulumi config set activeColor {old} && "
        f"pulumi config set {new}:replicas {leaves.ready} && pulumi up, then switch.",
        exception="less-room",
    )


def is_approved(color: LiveColor, image: str, approval: str) -> bool:
    """Whether `approval` names the color's release or its image; `image` is that of the config."""
    return approval == color.release or is_image_approved(color, image, approval)


def is_image_approved(color: LiveColor, image: str, approval: str) -> bool:
    """Whether `approval` names the image that the color runs, as it is live, or as the config has it (`image`)."""
    images = [color.image, image] if color.runs(image) else [color.image]
    return any(Image.parse(name).matches(approval) for name in images)


def unapproved(asked: str, name: str, target: LiveColor, remedy: str) -> Refusal:
    """The refusal of a move to a color that runs something else than was approved."""
    known_as = [text for text in (target.release, *Image.parse(target.image).names) if text]
    return Refusal(rule=Rule.APPROVED, asked=asked, live=f"{name} runs {' / '.join(known_as)}", remedy=remedy)

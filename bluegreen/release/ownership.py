"""Which stack owns an environment: its objects name their stack, and a renamed stack proves that they are its own.

Plain functions over plain data: no Pulumi, no cluster.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bluegreen.release.live import Live
from bluegreen.release.refusals import Refusal, Rule


@dataclass(frozen=True, kw_only=True)
class Owned:
    """An object that names the owner of an environment. `owner` is its stack, or empty; `uid` is empty if it is not known."""

    what: str
    owner: str
    uid: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the Pulumi backend reports. Empty if it was not read.

    `stacks` says for each other stack whether it exists; a stack for which that is unknown is missing. `recorded` are the uids
    of the objects in the state of this stack.
    """

    stacks: Mapping[str, bool] = field(default_factory=dict)
    recorded: Collection[str] = ()


NOT_ASKED = Evidence()


def foreign(live: Live, owner: str) -> list[Owned]:
    """The live Deployments and the route, as far as they do not belong to the stack `owner`."""
    found = [
        Owned(what=f"the Deployment of {name}", owner=color.owner, uid=color.uid) for name, color in sorted(live.colors.items())
    ]
    if live.route_owner is not None:
        found.append(Owned(what="the route", owner=live.route_owner, uid=live.route_uid))
    return [owned for owned in found if owned.owner != owner]


def names(objects: Sequence[Owned]) -> list[str]:
    """The stacks that own `objects`, without nobody."""
    return sorted({owned.owner for owned in objects} - {""})


def is_renamed(objects: Sequence[Owned], owner: str, evidence: Evidence) -> bool:
    """Whether `objects` belong to the stack `owner` under a name that it had before.

    That is proven if the state of `owner` records each of them by its uid, and the stack that they name does not exist any
    more: then the state is not a copy of it. Both must be of one organization, because a backend hides the stacks of others.
    """
    organization = owner.partition("/")[0]
    return all(
        owned.owner.partition("/")[0] == organization
        and evidence.stacks.get(owned.owner) is False
        and owned.uid != ""
        and owned.uid in evidence.recorded
        for owned in objects
    )


def refusal(objects: Sequence[Owned], owner: str, evidence: Evidence) -> Iterator[Refusal]:
    """Refuses an update by the stack `owner`, if `objects` belong to another stack or to none."""
    if not objects or is_renamed(objects, owner, evidence):
        return
    found, named = [owned.what for owned in objects], [*names(objects), ""][0]
    whose = f"to the stack {named}" if named else "to no stack"
    yield Refusal(
        rule=Rule.ONE_OWNER,
        asked=f"an update by the stack {owner}",
        live=f"{' and '.join(found)} belong{'s' if len(found) == 1 else ''} {whose}",
        remedy=remedy(named, owner, evidence.stacks.get(named)),
        exception="adopt",
    )


def remedy(whose: str, owner: str, exists: bool | None) -> str:
    """What to do about an object of the stack `whose` (empty for no stack). `exists` is None if that is not known."""
    another = "For a second environment, set an app or a namespace of its own."
    if not whose:
        return f"Bring what exists into this stack first (pulumi import). {another}"
    if exists is False:
        return (
            f"The backend has no stack {whose}, and the state of {owner} does not record these objects. If {whose} was moved "
            "to this backend, import its state (pulumi stack export there, pulumi stack import here). To take the objects over "
            f"as they are, add adopt. {another}"
        )
    if exists is None:
        return f"One environment is one stack: use {whose}, if it exists (pulumi stack ls --all). {another}"
    return f"One environment is one stack: pulumi stack select {whose}. {another}"

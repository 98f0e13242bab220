"""What is decided when an object is written: rules that only the engine's own old and new inputs, or a second look, can tell.

Plain functions over plain data, as in `transition.py`: no Pulumi, no cluster.
"""

from collections.abc import Iterable, Iterator

from bluegreen.release import metadata
from bluegreen.release.about import About, refusal, said
from bluegreen.release.live import Live
from bluegreen.release.objects import Object, Ref, annotation, as_mapping, value_at
from bluegreen.release.ownership import remedy as way_out
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.traffic import Move
from bluegreen.release.transition import Transition, less_room, never_both, unready


def is_worker(item: Object) -> bool:
    """Whether an object belongs to the worker of a color."""
    return value_at(item, "metadata", "labels", metadata.WORKER_OF) is not None


def deployment_update(
    transition: Transition, color: str, old: Object, new: Object, *, is_of_worker: bool = False
) -> Iterator[Refusal]:
    """Refusals of an update of a color's Deployment from the spec `old` to the spec `new`, while users move.

    A template that the config changes is the transition's matter. One that differs all the same was changed in the cluster
    beside this stack, and the update would put it back. Workers start and stop when users move, so they may be scaled.
    """
    numbers = [f"{spec.get('replicas', 1):.0f}" for spec in (old, new)]
    scaled = numbers[0] != numbers[1] and not is_of_worker
    drifted = old["template"] != new["template"] and color not in transition.changes
    if transition.moves and (scaled or drifted):
        change = f"{color} from {' to '.join(numbers)} replicas" if scaled else f"{color} back to the pods of the config"
        yield never_both(transition.moves, change, f"{transition.moves.origin} serves the users")


def route_update(moves: Move, live: Live) -> Iterator[Refusal]:
    """Refuses a move of users that the rules accepted when the update began, if `live` no longer allows it."""
    old, new = moves
    asked, target = str(moves), live.colors.get(new)
    if target is None:
        yield Refusal(
            rule=Rule.READY,
            asked=asked,
            live=f"{new} was there when this update began, and now it is gone",
            remedy=f"Deploy {new} again, in an update of its own: users stay on {old}.",
            exception="unready",
        )
    elif not target.is_ready:
        yield unready(asked, new, target)
    yield from less_room(moves, live)


def route_overwrite(what: str, foreign: str) -> Iterator[Refusal]:
    """Refusals of writing the object `what` of the route, when `foreign` describes what somebody else wrote into the route."""
    if foreign:
        yield Refusal(
            rule=Rule.ROUTE_KEPT,
            asked=f"to write {what}",
            live=foreign,
            remedy="Remove that from the route when it is no longer needed (kubectl edit), then update again.",
            exception="overwrite-route",
        )


def write(
    about: About | None,
    live: Live,
    route: Iterable[Ref],
    further: Iterable[Ref],
    old: Object | None,
    item: Object,
) -> Iterator[Refusal]:
    """Refuses to write an object that is not what the subcommand is about, such as another color's number of pods.

    `old` is None for an object that is created; `route` are the objects of the route, and `further` those of the Services that
    users do not reach first. The owner may be written at any time: it
    is the same stack under another name. So may the labels and the names of annotations that another version writes, and the
    Services as far as they follow the manifests of the colors.
    """
    what = item["kind"], item["metadata"]["name"]
    is_route = what in {(kind, name) for _, kind, name in route}
    if about is None or not live.serving or about.may_write(value_at(item, "metadata", "labels", "color"), is_route=is_route):
        return
    if old is not None and _compared(old) == _compared(item):
        return
    if old is not None and about.may_move_users and _is_scaled_worker(old, item):
        return
    is_further = what in {(kind, name) for _, kind, name in further}
    if _follows_manifests(about, old, item, is_further=is_further):
        return
    yield refusal(about, f"a change of {' '.join(what)}", said(live))


def _follows_manifests(about: About, old: Object | None, item: Object, *, is_further: bool) -> bool:
    """Whether an object that both colors share is written because a color comes, goes or becomes active.

    The Services are those of the active color's manifest, with those and the ports that only the other color has. So Services
    and ports come and go with a color, and everything else changes only when users move.
    """
    if not (about.may_move_users or about.may_change_manifests):
        return False
    if old is None or about.may_move_users:
        return is_further or (old is not None and bool(item["kind"] == "Service"))
    return bool(item["kind"] == "Service") and _without_ports(_compared(old)) == _without_ports(_compared(item))


def _is_scaled_worker(old: Object, item: Object) -> bool:
    """Whether a worker of either color gets another number of pods, and nothing else: workers follow the users."""
    return is_worker(item) and item["kind"] == "Deployment" and _without_replicas(old) == _without_replicas(item)


def _without_replicas(item: Object) -> Object:
    return {**_compared(item), "spec": {**as_mapping(item.get("spec")), "replicas": 0}}


def _without_ports(item: Object) -> Object:
    return {**item, "spec": {name: value for name, value in as_mapping(item.get("spec")).items() if name != "ports"}}


def _compared(item: Object) -> Object:
    """An object without its owner, and without what another version of the program names otherwise."""
    annotations = metadata.with_new_domain(value_at(item, "metadata", "annotations") or {})
    annotations.pop(metadata.OWNER, None)
    labels = metadata.without_labels(value_at(item, "metadata", "labels") or {})
    return {**item, "metadata": {**item["metadata"], "annotations": annotations, "labels": labels}}


def creation(what: str, found: Object | None, owner: str, owner_exists: bool | None = None) -> Iterator[Refusal]:
    """Refuses to create an object that exists already, which providers before 4.29 take over silently.

    `owner_exists` says whether the stack exists that owns the object, None if that is not known.
    """
    if found is None:
        return
    whose = annotation(found, metadata.OWNER)
    if whose == owner:
        lost = "another state of the same stack, a lost one, or the same cluster by another context"
        remedy = f"This is {lost}: use the backend and the context that made it, or bring it into this state (pulumi import)."
    else:
        remedy = way_out(whose, owner, owner_exists)
    yield Refusal(
        rule=Rule.ONE_OWNER,
        asked=f"to create {what}",
        live=f"it exists, belongs to {f'the stack {whose}' if whose else 'no stack'}, and is not in the state of {owner}",
        remedy=remedy,
        exception="adopt",
    )

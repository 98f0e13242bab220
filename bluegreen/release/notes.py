"""What the program notes on the objects that it writes: who has served users, and what it had to write again.

The engine compares the config with its own state. What somebody else has changed in the cluster is no difference to it, so it
would write nothing. A new value of the annotation `bluegreen/replaces` makes it write: it is set exactly when the object in the
cluster is not what the config asks for.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from bluegreen.release import metadata, served
from bluegreen.release.about import About
from bluegreen.release.drift import Path, is_changed
from bluegreen.release.live import Live
from bluegreen.release.objects import Object, Ref, annotation, value_at
from bluegreen.release.served import Served
from bluegreen.release.transition import Transition, Wanted


@dataclass(frozen=True, kw_only=True)
class Notes:
    """The annotations of one run of the program. `route` are the objects of the route, the users' first.

    `about` is the subcommand that runs the update: what it is not about is left as it is. `overwrites` says whether the route
    is written although it holds what somebody else wrote.
    """

    live: Live
    wanted: Wanted
    transition: Transition
    route: tuple[Ref, ...]
    about: About | None = None
    overwrites: bool = False

    def annotations(self, ref: Ref, manifest: Object, ignored: Collection[Path] = ()) -> dict[str, str]:
        """The annotations of an object that the program writes as `manifest`; `ignored` are fields that it leaves to others."""
        if ref not in self.live.objects:
            return {}
        notes = {
            metadata.SERVED: self._served() if ref == self.route[0] else "",
            metadata.REPLACES: self._replaces(ref, manifest, ignored),
        }
        return {name: text for name, text in notes.items() if text}

    def is_changed(self, ref: Ref, manifest: Object, ignored: Collection[Path] = ()) -> bool:
        """Whether this update writes an object again because somebody else has changed it."""
        found = self.live.objects.get(ref)
        is_due = found is not None and self._is_about(ref, manifest) and self._is_due(ref, found, manifest, ignored)
        return is_due and found is not None and is_changed(found, manifest, ignored)

    def is_gone(self, ref: Ref) -> bool:
        """Whether an object of an environment that stands is not in the cluster."""
        stands = bool(self.live.colors) or self.live.route_owner is not None
        return stands and ref in self.live.objects and self.live.objects[ref] is None

    def _served(self) -> str:
        running = {name: color.template for name, color in self.wanted.colors.items()}
        target = Served(self.wanted.traffic.active, running.get(self.wanted.traffic.active, ""))
        found = self.live.objects[self.route[0]]
        if found is None:
            return served.written([target])
        known = annotation(found, metadata.SERVED)
        if self.live.active == target.color:
            return known
        return served.written(served.after_move(served.read(known), self.live.entry(self.live.active), target, running))

    def _replaces(self, ref: Ref, manifest: Object, ignored: Collection[Path]) -> str:
        found = self.live.objects[ref]
        if self._is_about(ref, manifest) and found is None:
            # The engine plans an update if its state has the object; then a hook says that it is gone.
            return f"none-{secrets.token_hex(4)}" if self.is_gone(ref) else ""
        if found is not None and self._is_about(ref, manifest) and self._is_due(ref, found, manifest, ignored):
            return str(value_at(found, "metadata", "resourceVersion") or "")
        return annotation(found, metadata.REPLACES) if found is not None else ""

    def _is_about(self, ref: Ref, manifest: Object) -> bool:
        color = value_at(manifest, "metadata", "labels", "color")
        return self.about is None or self.about.may_write(color, is_route=ref in self.route)

    def _is_due(self, ref: Ref, found: Object, manifest: Object, ignored: Collection[Path]) -> bool:
        if ref in self.route:
            is_kept = self.live.foreign and not self.overwrites
            return not is_kept and (self._differs(ref) or is_changed(found, manifest, ignored))
        # An update that moves users, or that follows `rollback --now`, writes the route and nothing else.
        if self.transition.moves or self._is_rescued:
            return False
        serves = value_at(found, "metadata", "labels", "color") in self.live.serving
        return not serves and is_changed(found, manifest, ignored)

    def _differs(self, ref: Ref) -> bool:
        """Whether users or testers, if the object decides about them, are elsewhere than the config wants them."""
        users = self.live.serving != {self.wanted.traffic.active}
        testers = self.live.test != self.wanted.traffic.testers
        return (ref == self.route[0] and users) or (ref == self.route[-1] and testers)

    @property
    def _is_rescued(self) -> bool:
        found = (self.live.objects[ref] for ref in self.route if ref in self.live.objects)
        entries = [entry for item in found for entry in value_at(item, "metadata", "managedFields") or ()]
        return any(value_at(entry, "manager") == metadata.EMERGENCY_MANAGER for entry in entries)

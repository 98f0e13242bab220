"""What an update or a preview did and reported, collected from the engine's events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.cli.outcomes import Exit, ReleaseError, status_of
from bluegreen.cli.process import Event
from bluegreen.cli.pulumi_sentences import AFTERMATH, NOT_AWAITED
from bluegreen.kube.rights import missing
from bluegreen.release.refusals import Code, Fault, Rule, code_of

_NO_STEP = ("same", "read", "refresh")


@dataclass(frozen=True, kw_only=True)
class EngineStep:
    """One step of the engine: its operation, the kind and the name of the resource, and what differs (paths)."""

    operation: str
    kind: str
    name: str
    is_object: bool
    differs: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.operation} {self.kind}/{self.name}"


@dataclass
class Record:
    """Grows while the engine works. `ended` holds the steps that were done, `errors` and `warnings` what was said,
    `text` what the CLI printed."""

    began: list[EngineStep] = field(default_factory=list)
    ended: list[EngineStep] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    config: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    def add(self, event: Event) -> EngineStep | str | None:
        """Takes an event, and returns what a person may want to see of it: a step that begins, or words."""
        if step := _step(event.get("resourcePreEvent")):
            self.began.append(step)
            return step
        if step := _step(event.get("resOutputsEvent")):
            self.ended.append(step)
        if diagnostic := event.get("diagnosticEvent"):
            return self._diagnosed(diagnostic["severity"], diagnostic["message"].strip(), bool(diagnostic.get("ephemeral")))
        self.config = event.get("preludeEvent", {}).get("config") or self.config
        return None

    def _diagnosed(self, severity: str, message: str, is_passing: bool) -> str | None:
        if severity == "error" and message and not message.startswith(AFTERMATH):
            self.errors.append(message)
        if severity == "warning" and message:
            self.warnings.append(message)
        return message if message and is_passing and severity == "info" and message != NOT_AWAITED else None

    @property
    def code(self) -> Code | None:
        """The code of the first error that has one; None if none has, and for an update without errors."""
        return next((code for message in self.errors if (code := code_of(message))), None)

    @property
    def is_refused(self) -> bool:
        """Whether a rule refused the update, before anything was written or at an object."""
        return isinstance(self.code, Rule)

    @property
    def is_not_served(self) -> bool:
        """Whether the program verified who serves users, and it was not the color of the route."""
        return self.code is Fault.NOT_SERVED

    @property
    def is_refused_at_once(self) -> bool:
        """Whether the update was refused before the engine began to write any object. The refusal says where users are then."""
        return self.is_refused and not any(step.is_object for step in self.began)

    @property
    def has_changed(self) -> bool:
        """Whether any object was written, or may have been: a step that began and did not end well counts."""
        return any(step.is_object for step in self.began) and not (self.is_refused and not self.changed)

    @property
    def changed(self) -> list[str]:
        """The steps that changed an object, such as `update Deployment/shop-blue`."""
        return [str(step) for step in self.ended if step.is_object]


class UpdateError(ReleaseError):
    """An update or a preview that failed. `record` shows how far it came."""

    def __init__(self, status: Exit, message: str, record: Record) -> None:
        if record.code:
            status = status_of(record.code)
        elif status is Exit.ERROR and record.has_changed:
            status = Exit.RESOURCE
        rights = [f"{sentence}." for sentence in missing("\n".join(record.errors))]
        super().__init__(status, "\n\n".join([*record.errors, *rights]) or message, record.code)
        self.record = record


def stderr_of(event: Event) -> str:
    """What the program wrote to stderr, such as the code that a credential plugin asks a person to enter; usually nothing."""
    diagnostic = event.get("diagnosticEvent") or {}
    return str(diagnostic["message"]).strip() if diagnostic.get("severity") == "info#err" else ""


def _step(event: Mapping[str, Any] | None) -> EngineStep | None:
    what = (event or {}).get("metadata")
    if not what or what["op"] in _NO_STEP:
        return None
    name = what["urn"].rpartition("::")[2]
    return EngineStep(
        operation=what["op"],
        kind=what["type"].rpartition(":")[2],
        name=name,
        is_object=what["type"].startswith("kubernetes:"),
        differs=tuple(what.get("detailedDiff") or what.get("diffs") or ()),
    )

"""What a run has measured: plain values, written to a file after each of them: what fails later takes nothing with it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

SCHEMA = 1

# How much load there was while a sample was taken: none, just enough to see the moves (twice), the fixed rate (once a turn, and
# one switch after the other), as much as the machine gives. At IDLE, ALONE, STEADY and FULL nobody's controller runs.
IDLE, ALONE, PROBED, LOADED, STEADY, FULL = "idle", "alone", "probed", "loaded", "steady", "full"

# How long it goes on where ours are alone. No figure that is compared comes from there.
_OF_OURS_ALONE = ("steady_requests", "full_requests")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Answers per color and failures in bins of `bin_ms`; the first bin begins `first_ms` after the command's start."""

    first_ms: float
    bin_ms: float
    succeeded: Mapping[str, list[int]]
    failed: list[int]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One operation of one contestant. Times are seconds from the start of its first command.

    Without requests, as on an idle sandbox or of what only looks, `first_new` and `last_old` are None.
    """

    contestant: str
    kind: str
    load: str = ""
    round: int
    old: str = ""
    new: str = ""
    first_new: float | None = None
    """The first answer of the new color."""
    last_old: float | None = None
    """The last answer of the old color."""
    end: float
    """The last command had ended."""
    cut_over_ms: float | None = None
    late: int | None = None
    """Requests sent after the first answer of the new color that the old one answered all the same."""
    requests: int = 0
    failed: int = 0
    errors: tuple[str, ...] = ()
    since_switch: float | None = None
    """For a rollback: how long the new color had served, in seconds."""
    timeline: Timeline | None = None


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An operation that could not be measured."""

    contestant: str
    kind: str
    round: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """What a contestant adds to the cluster: once, by its documented installation, and for each application."""

    installed_objects: int
    installed_bytes: int
    application_objects: int
    application_bytes: int
    kinds: Mapping[str, int]
    """The application's objects by kind."""


@dataclass
class Results:
    """All of one run. `finished` is empty until it has come to its end."""

    began: str
    settings: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    contestants: list[str] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    memory: dict[str, list[int]] = field(default_factory=dict)
    """Resident bytes of a controller, by contestant, as read from time to time."""
    footprints: dict[str, Footprint] = field(default_factory=dict)
    finished: str = ""

    def of(self, contestant: str, kind: str, load: str) -> list[Sample]:
        """The samples of one kind."""
        return [each for each in self.samples if (each.contestant, each.kind, each.load) == (contestant, kind, load)]

    def is_like(self, other: Self) -> bool:
        """Whether figures of both can be told in one breath: same machine, same settings."""
        same = ("processor", "cores", "memory_gib")
        is_here = all(self.machine.get(name) == other.machine.get(name) for name in same)
        return is_here and self._settings_of_figures() == other._settings_of_figures()

    def _settings_of_figures(self) -> dict[str, Any]:
        return {name: value for name, value in self.settings.items() if name not in _OF_OURS_ALONE}

    def write(self, file: Path) -> None:
        """Replaces `file` as a whole, so that it can be read at any time."""
        own = {"schema": SCHEMA} | {name: value for name, value in vars(self).items() if name not in _LISTS}
        own["footprints"] = {name: asdict(each) for name, each in self.footprints.items()}
        head = json.dumps(own, indent=1)[:-2]
        parts = [head, *(f' "{name}": [{_lines(getattr(self, name))}]' for name in _LISTS)]
        new = file.with_suffix(".new")
        new.write_text(",\n".join(parts) + "\n}\n")
        new.replace(file)

    @classmethod
    def read(cls, file: Path) -> Self:
        """The results in `file`. Raises ValueError when it is of another schema."""
        content = json.loads(file.read_text())
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"{file} has another schema than {SCHEMA}: take the version of this program that wrote it.")
        content["samples"] = [_sample(each) for each in content["samples"]]
        content["failures"] = [Failure(**each) for each in content["failures"]]
        content["footprints"] = {name: Footprint(**each) for name, each in content["footprints"].items()}
        return cls(**content)


def runs_before(latest: Results, file: Path) -> list[Results]:
    """The finished runs in the folder of `file`, which holds `latest`, that were begun before it, on the same machine and with
    the same settings, newest first.
    """
    names = sorted((each for each in file.parent.glob("*.json") if each.name < file.name), reverse=True)
    return [each for each in map(Results.read, names) if each.finished and each.is_like(latest)]


_LISTS = ("samples", "failures")


def _lines(values: list[Any]) -> str:
    """One line for each value: the file is read by people too, and by `git diff`."""
    return "".join(f"{',' * bool(place)}\n  {json.dumps(_compact(asdict(each)))}" for place, each in enumerate(values))


def _compact(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if each not in (None, (), "")}


def _sample(value: dict[str, Any]) -> Sample:
    timeline = value.pop("timeline", None)
    errors = tuple(value.pop("errors", ()))
    return Sample(**value, errors=errors, timeline=Timeline(**timeline) if timeline else None)

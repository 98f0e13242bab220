"""Reads the snapshot of a color: the team's own manifest, plain YAML in a file or a folder of the project.

Values are resolved as kubectl resolves them (sigs.k8s.io/yaml, which is Go's yaml.v2), not as PyYAML does: both read `0644`
as a number and `on` as a boolean, but only kubectl reads `1e3` and `y` so, and only PyYAML `12:30`. The line of every field is
kept, so that an error can name it. No Pulumi, no cluster.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluegreen.release.objects import Object, value_at

if TYPE_CHECKING:
    import yaml

FieldPath = tuple[str | int, ...]
"""The keys and list positions that lead to a field of an object; empty for the object."""

LARGEST_BYTES = 1_000_000
"""The largest size of all files of a snapshot together. etcd accepts no object above 1.5 MB."""

# Objects of Kubernetes nest some 15 levels. A few aliases of aliases make millions of values.
_DEEPEST = 100
_MOST_VALUES = 100_000

_SUFFIXES = (".yaml", ".yml", ".json")

PLACEHOLDER = "${secretData}"
"""Stands for a value of a Secret, which is in the stack's config."""

TRACKING = (
    "argocd.argoproj.io/",
    "deployment.kubernetes.io/",
    "helm.toolkit.fluxcd.io/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "objectset.rio.cattle.io/",
)
"""How the labels and annotations begin by which another tool knows what it owns. It would delete or change what has them."""

OF_THE_SERVER = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Fields of the metadata that the API server writes."""


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A line of a file. `file` is relative to the project."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, kw_only=True)
class SnapshotProblem:
    """One thing that is wrong in a snapshot: where, the field, its value as text, what it must be, and what to do."""

    place: Place
    field: str
    value: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        where = f"{self.place}: {self.field}" if self.field else str(self.place)
        return f"{where}: {self.value}\n    It must be {self.allowed}.\n    {self.fix}"


class SnapshotError(Exception):
    """The snapshot cannot be read. `problems` lists what is wrong; the message shows it all."""

    def __init__(self, problems: list[SnapshotProblem]) -> None:
        self.problems = problems
        super().__init__("\n\n".join(map(str, problems)))


@dataclass(frozen=True, kw_only=True)
class Document:
    """One object of a snapshot. `places` has the line of each of its fields; the path () is the object itself."""

    object: Object
    places: Mapping[FieldPath, Place]

    @property
    def kind(self) -> str:
        return str(self.object["kind"])

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    def at(self, *path: str | int) -> Any:
        """The value at `path`, or None where the path ends."""
        value: Any = self.object
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def place(self, path: FieldPath = ()) -> Place:
        """The line of the field at `path`, or of the nearest field around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The objects of one color as the team wrote them. `path` is the file or folder, relative to the project."""

    path: str
    documents: tuple[Document, ...] = field(repr=False)


def field_text(path: FieldPath) -> str:
    """A path as people write it: `spec.containers[0].image`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


def load(project: Path, path: str) -> Snapshot:
    """Reads the file or folder `path` of `project`.

    Of a folder, the files that end in .yaml, .yml or .json are read in the order of their names; folders in it are not read.
    Raises `SnapshotError` with everything that is wrong.
    """
    problems: list[SnapshotProblem] = []
    documents: list[Document] = []
    for name, text in _texts(project, path).items():
        try:
            documents += _documents(name, text)
        except SnapshotError as error:
            problems += error.problems
    if not documents and not problems:
        allowed = "YAML with at least one object"
        problems = [SnapshotProblem(place=Place(file=path, line=1), field="", value="no object", allowed=allowed, fix=_RENDER)]
    if problems:
        raise SnapshotError(problems)
    return Snapshot(path=path, documents=tuple(documents))


def read_text(name: str, text: str) -> tuple[Document, ...]:
    """The objects in `text`, the contents of the file `name`. Raises `SnapshotError`."""
    return tuple(_documents(name, text))


_RENDER = "Write it again: bluegreen deploy <color> --manifest <folder>, --kustomize <folder> or --helm <chart>."


def _refusal(place: Place, path: str, value: str, allowed: str, fix: str) -> SnapshotError:
    return SnapshotError([SnapshotProblem(place=place, field=path, value=value, allowed=allowed, fix=fix)])


def _texts(project: Path, path: str) -> dict[str, str]:
    """The text of each file of the snapshot by its name, relative to the project."""
    root = project.resolve()
    place = Place(file=path, line=1)
    try:
        given = (root / path).resolve()
        inside = given.is_relative_to(root) and given != root and not Path(path).is_absolute()
        files = files_of(given) if inside else []
        if not inside or not all(file.resolve().is_relative_to(root) for file in files):
            fix = "Copy it into the project, and name it relative to Pulumi.yaml."
            raise _refusal(place, "", "outside the project", "a file or a folder of the project", fix)
        if not files:
            found = "a folder without YAML files" if given.is_dir() else "no file or folder"
            raise _refusal(place, "", found, "a file or a folder with YAML (.yaml, .yml, .json)", _RENDER)
        if (size := sum(file.stat().st_size for file in files)) > LARGEST_BYTES:
            fix = "Leave large data out: a volume, an image or an object store can hold it."
            raise _refusal(place, "", f"{size} bytes", f"at most {LARGEST_BYTES} bytes", fix)
        return {str(Path(path) / file.relative_to(given)) if file != given else path: _text(path, file) for file in files}
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise _refusal(place, "", why, "a file or a folder that can be read", "Correct the path or its permissions.") from None


def files_of(given: Path) -> list[Path]:
    """The files of a manifest: `given`, or those with YAML in the folder `given`, in the order of their names; not below it."""
    if not given.is_dir():
        return [given] if given.is_file() else []
    return sorted(file for file in given.iterdir() if file.suffix in _SUFFIXES and file.is_file())


def _text(path: str, file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = Place(
            file=f"{path}/{file.name}" if not path.endswith(file.name) else path, line=data.count(b"\n", 0, error.start) + 1
        )
        raise _refusal(place, "", "no text in UTF-8", "text in UTF-8", "Convert the file to UTF-8.") from None


def _documents(name: str, text: str) -> Iterator[Document]:
    """The objects of one file. A file that is a kustomization or a template is refused in words."""
    if "\0" in text:
        place = Place(file=name, line=text.count("\n", 0, text.index("\0")) + 1)
        raise _refusal(place, "", "a NUL character", "text without NUL characters", "Remove it.")
    for value, places in _Reader(name, text).documents():
        if value is not None:
            yield from _objects(value, places)


def _objects(value: Any, places: Mapping[FieldPath, Place]) -> Iterator[Document]:
    if not isinstance(value, dict):
        raise _refusal(places[()], "", "no object", "an object with apiVersion, kind and metadata", _RENDER)
    kind, items = value.get("kind"), value.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for position, item in enumerate(items):
            yield from _objects(item, _below(places, ("items", position)))
        return
    if kind in ("Kustomization", "Component"):
        fix = "Render it: bluegreen deploy <color> --kustomize <folder>"
        raise _refusal(places[()], "kind", str(kind), "rendered YAML, and this is the input of kustomize", fix)
    for path in (("apiVersion",), ("kind",), ("metadata", "name")):
        found = value_at(value, *path)
        if not isinstance(found, str) or not found:
            shown = "missing" if found is None else "empty" if found == "" else "no text"
            fix = "Write it (a number or a boolean in quotes)."
            raise _refusal(Document(object=value, places=places).place(path), ".".join(path), shown, "a text", fix)
    yield Document(object=value, places=places)


def _below(places: Mapping[FieldPath, Place], prefix: FieldPath) -> dict[FieldPath, Place]:
    length = len(prefix)
    return {path[length:]: place for path, place in places.items() if path[:length] == prefix}


class _Reader:
    """Builds the values of one file from the events of the YAML parser.

    The composer of PyYAML is not used: in C it overflows the stack on deep nesting, and both keep no limit of aliases.
    """

    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._anchors: dict[str, list[yaml.Event]] = {}
        self._places: dict[FieldPath, Place] = {}
        self._count = 0

    def documents(self) -> Iterator[tuple[Any, Mapping[FieldPath, Place]]]:
        """Each document with the lines of its fields. Raises `SnapshotError`."""
        import yaml

        try:
            events = yaml.parse(self._text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
            document: list[yaml.Event] = []
            for event in events:
                if isinstance(event, yaml.DocumentStartEvent):
                    document = []
                elif isinstance(event, yaml.DocumentEndEvent):
                    self._anchors, self._places, self._count = {}, {}, 0
                    value = self._value(_Events(document), (), 0)
                    yield value, self._places
                else:
                    document.append(event)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else self._text.count("\n", 0, getattr(error, "position", 0)) + 1
            why = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be parsed"
            raise self._refuse(line, (), f"no YAML ({why})", "YAML", self._correct("Correct this line.")) from None

    def _value(self, events: "_Events", path: FieldPath, depth: int) -> Any:
        import yaml

        event = events.next()
        line = event.start_mark.line + 1
        self._places[path] = Place(file=self._name, line=line)
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST_VALUES:
            allowed = f"at most {_MOST_VALUES} values, nested at most {_DEEPEST} levels deep"
            raise self._refuse(line, path[:5], "too many values", allowed, "Write it without aliases of aliases.")
        if isinstance(event, yaml.AliasEvent):
            anchored = self._anchors.get(str(event.anchor))
            if anchored is None:
                raise self._refuse(line, path, f"*{event.anchor}", "an alias of an anchor before it", "Correct its name.")
            value = self._value(_Events(anchored), path, depth + 1)
            self._places[path] = Place(file=self._name, line=line)
            return value
        start = events.position - 1
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path, line)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(events, path, depth)
        else:
            value = self._object(events, path, depth)
        # Only now: an alias of a node inside itself would never end.
        if event.anchor:
            self._anchors[event.anchor] = events.since(start)
        return value

    def _list(self, events: "_Events", path: FieldPath, depth: int) -> list[Any]:
        import yaml

        values: list[Any] = []
        while not isinstance(events.peek(), yaml.SequenceEndEvent):
            values.append(self._value(events, (*path, len(values)), depth + 1))
        events.next()
        return values

    def _object(self, events: "_Events", path: FieldPath, depth: int) -> dict[str, Any]:
        import yaml

        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(events.peek(), yaml.MappingEndEvent):
            key = events.peek()
            line = key.start_mark.line + 1
            name = self._value(events, (*path, ""), depth + 1)
            del self._places[(*path, "")]
            if name == "<<" and isinstance(key, yaml.ScalarEvent) and key.implicit[0]:
                source = self._value(events, (*path, "<<"), depth + 1)
                for part in source if isinstance(source, list) else [source]:
                    if not isinstance(part, dict):
                        raise self._refuse(line, (*path, "<<"), "no object", "an alias of an object", "Correct it.")
                    merged = {**part, **merged}
            elif not isinstance(name, str):
                written = str(getattr(key, "value", "a list or an object"))
                fix = f'Write it in quotes: "{written}":' if isinstance(key, yaml.ScalarEvent) else self._correct("Correct it.")
                raise self._refuse(line, path, f"{written} as a key", "a key that is a text", fix)
            elif name in own:
                raise self._refuse(line, (*path, name), "twice", "there once", "Remove one of the two.")
            else:
                own[name] = self._value(events, (*path, name), depth + 1)
                self._places[(*path, name)] = Place(file=self._name, line=line)
        events.next()
        return {**merged, **own}

    def _scalar(self, event: "yaml.ScalarEvent", path: FieldPath, line: int) -> Any:
        text = str(event.value)
        if "\0" in text or text.encode(errors="replace").decode() != text:
            raise self._refuse(line, path, "a character that no encoding can write", "text", "Remove it.")
        tag = (event.tag or "").removeprefix("tag:yaml.org,2002:")
        if event.tag and tag not in ("str", "!", "int", "bool", "float", "null"):
            raise self._refuse(line, path, f"the tag {event.tag}", "a value without a tag", "Remove the tag.")
        if tag in ("str", "!") or not event.implicit[0]:
            return text
        value = resolved(text)
        if isinstance(value, float) and not math.isfinite(value):
            raise self._refuse(line, path, text, "a finite number", "Write it in quotes if it is a text.")
        return value

    def _correct(self, otherwise: str) -> str:
        """What to do about a line that cannot be read."""
        return "Render the chart: bluegreen deploy <color> --helm <chart>" if "{{" in self._text else otherwise

    def _refuse(self, line: int, path: FieldPath, value: str, allowed: str, fix: str) -> SnapshotError:
        return _refusal(Place(file=self._name, line=line), field_text(path), value, allowed, fix)


class _Events:
    """Events with a position."""

    def __init__(self, events: "list[yaml.Event]") -> None:
        self._events = events
        self.position = 0

    def peek(self) -> Any:
        return self._events[self.position]

    def next(self) -> Any:
        self.position += 1
        return self._events[self.position - 1]

    def since(self, start: int) -> "list[yaml.Event]":
        return self._events[start : self.position]


# As in resolve.go of yaml.v2.
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(
        (".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"), math.nan
    ),
}
_WHOLE = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def resolved(text: str) -> Any:
    """The value of a plain scalar as kubectl reads it: None, a boolean, a number or the text. A date is a text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    number = text.replace("_", "")
    if found := _WHOLE.fullmatch(number):
        digits = found[1]
        base = {"x": 16, "b": 2, "o": 8}.get(digits[1:2].lower(), 8 if digits.startswith("0") else 10)
        whole = int(number, base)
        return whole if -(2**63) <= whole < 2**64 else float(whole)
    if not _FLOAT.fullmatch(number):
        return text
    value = float(number)
    # Go writes a float without a fraction as a whole number.
    return int(value) if value.is_integer() and abs(value) < 2**53 else value

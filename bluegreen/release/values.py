"""Parsers for single config values: one for each kind of value.

A parser takes the text of a value and returns the typed value, or raises `InvalidValueError` with what is allowed, or a group
of them for the parts of an object. Values that Kubernetes would reject are rejected here, before anything is changed. Parsers
do not know keys: those are in `config_keys.py`.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from bluegreen.release.image import Image

T = TypeVar("T")
Parser = Callable[[str], T]


class InvalidValueError(ValueError):
    """A value that is not allowed.

    `allowed` completes the sentence "it must be ..."; `fix` says what to do if that is not obvious, else it is empty. `path`
    leads to a part of the value, such as `.UMASK` or `[0]`, and `part` is the text of that part.
    """

    def __init__(self, allowed: str, fix: str = "", *, path: str = "", part: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.fix = fix
        self.path = path
        self.part = part


def matching(pattern: str, allowed: str, longest: int = 253) -> Parser[str]:
    """Text that matches `pattern` from end to end and has at most `longest` characters."""
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if len(text) > longest or not compiled.fullmatch(text):
            raise InvalidValueError(f"{allowed}, at most {longest} characters")
        return text

    return parse


def one_of(*choices: str) -> Parser[str]:
    """One of the given words, as written."""

    def parse(text: str) -> str:
        if text not in choices:
            raise InvalidValueError("one of " + ", ".join(choices))
        return text

    return parse


def optional(parser: Parser[T]) -> Parser[T | None]:
    """Like `parser`, but an empty text is None, so that a value can be cleared without removing its key."""
    return lambda text: parser(text) if text else None


def integer(lowest: int, highest: int) -> Parser[int]:
    """A whole number from `lowest` to `highest`, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,10}", text) or not lowest <= int(text) <= highest:
            raise InvalidValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return parse


# Names of Services and DNS labels: RFC 1035 and RFC 1123, as Kubernetes applies them.
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"

# 52 = 63, the longest DNS label, less the longest suffix that follows the name of an app: "-blue-green".
app_name = matching(
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    "lower-case letters, digits and '-', starting with a letter and ending without '-'",
    52,
)
namespace_name = matching(_LABEL, "lower-case letters, digits and '-', starting and ending with a letter or digit", 63)
service_name = matching(r"[a-z]([-a-z0-9]*[a-z0-9])?", "the name of a Service: lower-case letters, digits and '-'", 63)
object_name = matching(_SUBDOMAIN, "the name of a Kubernetes object: lower-case letters, digits, '-' and '.'", 253)
context_name = matching(r"\S(.*\S)?", "the name of a context in your kubeconfig", 1024)
module_name = matching(r"[a-z_][a-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", "the name of a Python module", 253)
url = matching(r"https?://[^\s/?#]+[^\s?#]*", "an address such as https://shop.example", 2048)
project_path = matching(r"[^\s\\]([^\r\n\t\\]*[^\s\\])?", "a file or folder of the project, relative to Pulumi.yaml", 1024)
http_path = matching(r"/[!-~]*", "a path that starts with '/'", 1024)


def host(text: str) -> str:
    """`*` for every host, a host name, or a wildcard such as `*.shop.example`."""
    labels = text.removeprefix("*.").split(".")
    is_name = len(text) <= 253 and all(len(label) <= 63 and re.fullmatch(_LABEL, label) for label in labels)
    if text != "*" and (not is_name or labels[-1].isdigit()):
        raise InvalidValueError("'*', a host name such as shop.example, or a wildcard such as *.shop.example")
    return text


def cookie(text: str) -> str:
    """`name=value` of a cookie, in the characters that RFC 6265 allows."""
    if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[!#-+\--:<-\[\]-~]+", text):
        raise InvalidValueError("name=value, such as test=true, without spaces, commas, semicolons or quotes")
    return text


def boolean(text: str) -> bool:
    """true or false."""
    if text not in ("true", "false"):
        raise InvalidValueError("true or false")
    return text == "true"


def words(*choices: str) -> Parser[tuple[str, ...]]:
    """A list (JSON, as the engine passes it) of some of the given words."""

    def parse(text: str) -> tuple[str, ...]:
        given = _json(text)
        if not isinstance(given, list) or not set(map(str, given)) <= set(choices):
            raise InvalidValueError("a list of some of " + ", ".join(choices))
        return tuple(given)

    return parse


def names(text: str) -> tuple[str, ...]:
    """A list of names of Kubernetes objects, each once."""
    given = _json(text)
    if not isinstance(given, list):
        raise InvalidValueError("a list of names, such as [database, mail]")
    _raise(
        InvalidValueError("the name of a Kubernetes object, once in the list", path=f"[{place}]", part=json.dumps(name))
        for place, name in enumerate(given)
        if not isinstance(name, str) or not _is_object_name(name) or name in given[:place]
    )
    return tuple(given)


def command(text: str) -> tuple[str, ...]:
    """A command with its arguments, as a list, or as one text that is split as a shell would."""
    given = _json(text)
    if isinstance(given, dict):
        raise InvalidValueError("a command: a text, or a list of texts")
    words = _arguments(given) if isinstance(given, list) else _split(text)
    if not words or not words[0]:
        raise InvalidValueError("a command, which begins with the name of a program")
    return words


def _arguments(given: list[Any]) -> tuple[str, ...]:
    _raise(_not_a_text(f"[{place}]", argument) for place, argument in enumerate(given) if not _is_text(argument))
    return tuple(map(str, given))


def _split(text: str) -> tuple[str, ...]:
    if not _is_text(text):
        raise InvalidValueError("a command without NUL characters")
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidValueError(f"a command: {error}") from None


approval = matching(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*", "a release, a tag, a digest or an image", 512)


def image_repository(text: str) -> str:
    """The repository of an image, without a tag: `registry.example/shop`, `registry.example:5000/shop`."""
    image = Image.parse(text)
    if image.tag or image.digest:
        raise InvalidValueError("an image without tag or digest", "Put the tag into blue:imageTag or green:imageTag.")
    part = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
    registry = r"([a-zA-Z0-9.-]+(:[0-9]+)?/)?"
    if len(text) > 255 or not re.fullmatch(rf"{registry}{part}(/{part})*", text):
        raise InvalidValueError("an image such as registry.example/shop, in lower case")
    return text


def image_tag(text: str) -> str:
    """A tag such as `2.0`, or a digest such as `sha256:...` with 64 hexadecimal digits."""
    if text.startswith("sha256:"):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", text):
            raise InvalidValueError("a digest: sha256: and 64 digits from 0 to 9 and a to f")
    elif not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", text):
        raise InvalidValueError("a tag of at most 128 letters, digits, '.', '_' and '-', or a digest (sha256:...)")
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _raise(problems: Iterable[InvalidValueError]) -> None:
    """Raises all of `problems` together, if there are any."""
    if found := list(problems):
        raise ExceptionGroup("invalid values", found)


def mapping(text: str) -> dict[str, Any]:
    """An object: JSON, as the engine passes it."""
    value = _json(text)
    if not isinstance(value, dict):
        raise InvalidValueError("an object of names and values")
    return value


def _is_object_name(name: str) -> bool:
    return len(name) <= 253 and re.fullmatch(_SUBDOMAIN, name) is not None


def _is_text(value: object) -> bool:
    """Whether a part of an object is a text that a process can receive; a whole number is read as its digits."""
    if isinstance(value, str):
        return "\0" not in value and writable(value) == value
    return isinstance(value, int) and not isinstance(value, bool)


def writable(text: str) -> str:
    """`text` without halves of surrogate pairs, which an escape can produce and no encoding can write."""
    return text.encode(errors="replace").decode()


def _not_a_text(path: str, value: object) -> InvalidValueError:
    part = json.dumps(value)
    kinds = {bool: "a boolean", float: "a number that may have been written in another way", type(None): "no value"}
    kinds |= {list: "a list", dict: "an object", str: "no text that a process can get"}
    fix = f"Write it in quotes: {path.removeprefix('.')}: {json.dumps(part)}" if isinstance(value, bool | float) else ""
    return InvalidValueError(f"a text, and YAML reads it as {kinds[type(value)]}", fix, path=path, part=part)


# The longest NAME=value that Linux passes to a process, and the largest ConfigMap or Secret, both in bytes.
_LONGEST_VARIABLE = 128 * 1024 - 1
_LARGEST_DATA = 1024 * 1024


def environment(text: str) -> Mapping[str, str]:
    """Environment variables: an object of names and texts.

    A whole number is read as its digits. Other numbers and booleans are refused: YAML has already changed them (`1.10` is 1.1,
    `on` is true), so the pods would not receive the text of the file.
    """
    variables = mapping(text)
    _raise(problem for name, value in variables.items() if (problem := _problem_of_variable(name, value)))
    if sum(len(f"{name}{value}".encode()) for name, value in variables.items()) > _LARGEST_DATA:
        raise InvalidValueError("an object of variables with at most 1 MiB in all", part="more than 1 MiB")
    return {name: str(value) for name, value in variables.items()}


def secret_data(text: str) -> Mapping[str, Mapping[str, str]]:
    """The values of Secrets: an object of names of Secrets, each an object of keys and texts."""
    secrets = _json(text)
    allowed = "an object of Secrets, each an object of keys and values"
    if not isinstance(secrets, dict):
        fix = "Encrypt each value on its own: pulumi config set --secret --path '<color>:secretData.<SECRET>.<KEY>' VALUE."
        raise InvalidValueError(allowed, fix)
    _raise(
        InvalidValueError(
            "an object of keys and values, under the name of a Secret", path=f".{writable(name)}", part="as it is"
        )
        for name, data in secrets.items()
        if not _is_object_name(name) or not isinstance(data, dict)
    )
    _raise(
        _not_a_text(f".{name}.{writable(key)}", value)
        for name, data in secrets.items()
        for key, value in data.items()
        if not _is_text(value)
    )
    return {name: {key: str(value) for key, value in data.items()} for name, data in secrets.items()}


def _problem_of_variable(name: str, value: object) -> InvalidValueError | None:
    path = f".{name}"
    if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]{0,252}", name) or name == "." or name.startswith(".."):
        allowed = "a name of at most 253 letters, digits, '_', '-' and '.', no digit first"
        return InvalidValueError(allowed, path=writable(path), part="as a name")
    if name == "COLOR":
        return InvalidValueError(
            "another variable: COLOR is the color of the pod", f"Rename {name}.", path=path, part=str(value)
        )
    if not _is_text(value):
        return _not_a_text(path, value)
    if len(f"{name}={value}".encode()) > _LONGEST_VARIABLE:
        return InvalidValueError("at most 128 KiB long", path=path, part="a longer text")
    return None


_AMOUNT = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(m|u|n|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei|[eE][-+]?[0-9]{1,2})?")
_UNITS = {unit: Decimal(10) ** power for unit, power in zip("num kMGTPE", range(-9, 19, 3), strict=True)}
_UNITS |= {f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", 1)}


def resources(text: str) -> Mapping[str, Any]:
    """The requests and limits of a container, in the notation of Kubernetes."""
    value = mapping(text)
    for kind, amounts in value.items():
        if kind not in ("requests", "limits") or not isinstance(amounts, dict):
            raise InvalidValueError("an object with requests and limits, such as {requests: {cpu: 100m, memory: 64Mi}}")
    _raise(
        problem
        for kind, amounts in value.items()
        for name, amount in amounts.items()
        if (problem := _problem_of_amount(kind, name, amount))
    )
    given = {kind: {name: str(amount) for name, amount in amounts.items()} for kind, amounts in value.items()}
    _raise(_problems_of_both(given.get("requests", {}), given.get("limits", {})))
    return given


def _problem_of_amount(kind: str, name: str, amount: object) -> InvalidValueError | None:
    path = f".{kind}.{name}"
    known = r"cpu|memory|ephemeral-storage|hugepages-[0-9]+[KMG]i|" + rf"{_SUBDOMAIN}/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
    if len(name) > 253 or not re.fullmatch(known, name):
        return InvalidValueError(
            "a resource: cpu, memory, ephemeral-storage or vendor.example/name",
            path=writable(path),
            part="as a name",
        )
    if isinstance(amount, bool) or not _AMOUNT.fullmatch(str(amount)):
        return InvalidValueError("an amount such as 100m or 64Mi", path=path, part=json.dumps(amount))
    return None


def _problems_of_both(requests: Mapping[str, str], limits: Mapping[str, str]) -> Iterator[InvalidValueError]:
    """The requests that Kubernetes rejects because of the limits."""
    for name, request in requests.items():
        limit = limits.get(name)
        is_countable = "/" in name or name.startswith("hugepages-")
        if is_countable and (limit is None or _amount(limit) != _amount(request)):
            yield InvalidValueError(f"the same as limits.{name}", path=f".requests.{name}", part=request)
        elif limit is not None and _amount(request) > _amount(limit):
            yield InvalidValueError(f"at most limits.{name}, {limit}", path=f".requests.{name}", part=request)


def _amount(text: str) -> Decimal:
    number = text.rstrip("".join("numkKMGTPEi"))
    unit = text[len(number) :]
    return Decimal(number) * _UNITS[unit or " "]

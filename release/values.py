"""What a single config value may be: one parser for each kind of value.

A parser takes the text of a value and returns it typed, or raises `InvalidValueError` saying what is allowed. What
Kubernetes would reject is rejected here, before anything is touched. Parsers know nothing of keys: `settings.py` does.
"""

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any


class InvalidValueError(ValueError):
    """A value that is not allowed.

    `allowed` completes the sentence "it must be ..."; `fix` is what to do when that is not obvious, else empty.
    """

    def __init__(self, allowed: str, fix: str = "") -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.fix = fix


Parser = Callable[[str], Any]


def matching(pattern: str, allowed: str, longest: int = 253) -> Parser:
    """Text that matches `pattern` from end to end and has at most `longest` characters."""
    compiled = re.compile(pattern)

    def parse(text: str) -> str:
        if len(text) > longest or not compiled.fullmatch(text):
            raise InvalidValueError(f"{allowed}, at most {longest} characters")
        return text

    return parse


def one_of(*choices: str) -> Parser:
    """One of the given words, as written."""

    def parse(text: str) -> str:
        if text not in choices:
            raise InvalidValueError("one of " + ", ".join(choices))
        return text

    return parse


def optional(parser: Parser) -> Parser:
    """What `parser` takes, or nothing: empty text is None, so that a value can be cleared without removing its key."""
    return lambda text: parser(text) if text else None


def integer(lowest: int, highest: int) -> Parser:
    """A whole number from `lowest` to `highest`, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,10}", text) or not lowest <= int(text) <= highest:
            raise InvalidValueError(f"a whole number from {lowest} to {highest}")
        return int(text)

    return parse


# Names of Services and labels of DNS: RFC 1035 and RFC 1123 as Kubernetes applies them.
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"

# 52 = 63, the longest label of DNS, less the longest suffix that is put behind the name of an app: "-blue-green".
app_name = matching(
    r"[a-z]([-a-z0-9]*[a-z0-9])?",
    "lower-case letters, digits and '-', starting with a letter and ending without '-'",
    52,
)
namespace_name = matching(_LABEL, "lower-case letters, digits and '-', starting and ending with a letter or digit", 63)
object_name = matching(
    rf"{_LABEL}(\.{_LABEL})*", "the name of a Kubernetes object: lower-case letters, digits, '-' and '.'", 253
)
context_name = matching(r"\S(.*\S)?", "the name of a context in your kubeconfig", 1024)
url = matching(r"https?://[^\s/?#]+[^\s?#]*", "an address such as https://shop.example", 2048)
http_path = matching(r"/[!-~]*", "a path that starts with '/'", 1024)


def host(text: str) -> str:
    """`*` for every host, a host name, or a wildcard such as `*.shop.example`."""
    if text != "*" and (len(text) > 253 or not re.fullmatch(rf"(\*\.)?{_LABEL}(\.{_LABEL})*", text)):
        raise InvalidValueError("'*', a host name such as shop.example, or a wildcard such as *.shop.example")
    return text


def cookie(text: str) -> str:
    """`name=value` of a cookie, in the characters that RFC 6265 lets both have."""
    if not re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[!#-+\--:<-\[\]-~]+", text):
        raise InvalidValueError("name=value, such as test=true, without spaces, commas, semicolons or quotes")
    return text


def boolean(text: str) -> bool:
    """true or false."""
    if text not in ("true", "false"):
        raise InvalidValueError("true or false")
    return text == "true"


def words(*choices: str) -> Parser:
    """A list, as the engine hands it over (JSON), of some of the given words."""

    def parse(text: str) -> tuple[str, ...]:
        given = _json(text)
        if not isinstance(given, list) or not set(map(str, given)) <= set(choices):
            raise InvalidValueError("a list of some of " + ", ".join(choices))
        return tuple(given)

    return parse


def command(text: str) -> tuple[str, ...]:
    """A command with its arguments, as a list, or as one text that is split as a shell would."""
    given = _json(text)
    if isinstance(given, list) and given and all(isinstance(each, str) for each in given):
        return tuple(given)
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidValueError(f"a command: {error}") from None


approval = matching(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*", "a release, a tag, a digest or an image", 512)


def image_repository(text: str) -> str:
    """Where an image is, without its tag: `registry.example/shop`, `registry.example:5000/shop`."""
    if "@" in text or ":" in text.rpartition("/")[2]:
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
    except ValueError:
        return None


def mapping(text: str) -> dict[str, Any]:
    """An object, as the engine hands it over: JSON."""
    value = _json(text)
    if not isinstance(value, dict):
        raise InvalidValueError("an object of names and values")
    return value


def environment(text: str) -> Mapping[str, str]:
    """Environment variables: an object of names and texts.

    A whole number is taken as its digits. Other numbers and booleans are refused: YAML has changed them before they get
    here (`1.10` becomes 1.1, `on` becomes true), so what the pods would see is not what the file says.
    """
    variables = mapping(text)
    for name, value in variables.items():
        if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", name):
            raise InvalidValueError("an object with names of letters, digits, '_', '-' and '.', no digit first")
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise InvalidValueError(f"an object of texts, and {name} is not", f"Quote the value of {name}.")
    return {name: str(value) for name, value in variables.items()}


def resources(text: str) -> dict[str, Any]:
    """The requests and limits of a container, as Kubernetes writes them."""
    value = mapping(text)
    quantity = r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi|E|Ei)?"
    for kind, amounts in value.items():
        if kind not in ("requests", "limits") or not isinstance(amounts, dict):
            raise InvalidValueError("an object with requests and limits, such as {requests: {cpu: 100m, memory: 64Mi}}")
        for name, amount in amounts.items():
            if isinstance(amount, bool) or not re.fullmatch(quantity, str(amount)):
                raise InvalidValueError(f"an object whose amounts are such as 100m or 64Mi, and {kind}.{name} is not")
    return {kind: {name: str(amount) for name, amount in amounts.items()} for kind, amounts in value.items()}

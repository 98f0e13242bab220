"""Finds the names that kustomize has given to generated ConfigMaps and Secrets: `<name>-<digest of the content>`.

A snapshot does not keep such a digest. That of a Secret is a fast digest of its values, so it would let anybody who reads the
repository try passwords against it; and a name that changes with every value hides what a release changes. The objects of a
color get a name by content anyway, where that of a Secret is expensive to guess from.
"""

import hashlib
import json

from bluegreen.release.objects import Object, value_at

# kustomize writes ten hexadecimal digits without vowels and without digits that look like letters.
_DIGITS = str.maketrans("013ae", "ghkmt")
_LENGTH = 10

# As Go's encoding/json writes them.
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def name_without_digest(item: Object) -> str:
    """The name of an object, without the digest at its end if that is kustomize's digest of the content."""
    name = str(value_at(item, "metadata", "name"))
    base, _, end = name.rpartition("-")
    return base if base and len(end) == _LENGTH and end == _digest(item) else name


def _digest(item: Object) -> str:
    kind = item.get("kind")
    hashed = {"kind": kind, "name": "", "data": item.get("data", "")}
    if kind == "ConfigMap":
        optional = "binaryData"
    elif kind == "Secret":
        optional, hashed["type"] = "stringData", item.get("type", "")
    else:
        return ""
    if isinstance(item.get(optional), dict):
        hashed[optional] = item[optional]
    text = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    for character, escaped in _ESCAPED.items():
        text = text.replace(character, escaped)
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH].translate(_DIGITS)

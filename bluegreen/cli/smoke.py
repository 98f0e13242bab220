"""Smoke tests: a small list of declared checks, and any command, both on the test route.

A list is a YAML file:

    - path: /ping                   # the only key that must be there
      status: 200                   # the default
      body: '"version":"2\\.0"'      # a regular expression that is found in the body
      headers: {x-served-by: green} # headers of the answer, by name
      within_ms: 500                # the longest that the answer may take

A command finds the endpoint in its environment: BLUEGREEN_URL, BLUEGREEN_COOKIE, BLUEGREEN_HOST (the Host header to send, when
it is not the one of the URL) and BLUEGREEN_COLOR.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.probe import get
from bluegreen.release import stack_file
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.stack_file import ConfigFileError


@dataclass(frozen=True, kw_only=True, eq=False)
class Check:
    """One request and what its answer must be. `body` is a regular expression, `within_ms` 0 for any time.

    Two are never the same one, so each can be followed by itself.
    """

    path: str
    status: int = 200
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    within_ms: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a check: `failure` is empty when it passed."""

    name: str
    milliseconds: int
    failure: str = ""


def read(file: Path) -> list[Check]:
    """The checks in `file`. Raises `ReleaseError` naming everything that is wrong with it."""
    try:
        listed, misread = stack_file.of_document(file.read_text(encoding="utf-8"), str(file))
    except (OSError, ValueError, ConfigFileError) as error:
        raise ReleaseError(Exit.CONFIG, f"Could not read the checks in {file}: {error}") from None
    if not isinstance(listed, list | None):
        raise ReleaseError(Exit.CONFIG, f"{file} must be a list of checks, such as: [{{path: /ping, status: 200}}]")
    problems = [_changed(value) for value in misread]
    problems += [f"check {place}: {problem}" for place, check in enumerate(listed or [], 1) for problem in _problems(check)]
    if problems:
        raise ReleaseError(Exit.CONFIG, f"{file} cannot be used:\n  " + "\n  ".join(problems))
    return [Check(**check | {"headers": _texts(check.get("headers", {}))}) for check in listed or []]


def _changed(misread: stack_file.Misread) -> str:
    place, _, key = misread.path.removeprefix("[").partition("]")
    name = f"check {int(place) + 1}: {key.removeprefix('.')}" if place.isdecimal() else misread.path or "the file"
    quoted = json.dumps(misread.written, ensure_ascii=False)
    return f"{name} is {misread.written or 'empty'}, which YAML reads as {misread.read}. Write it in quotes: {quoted}"


_TYPES = {"path": str, "status": int, "body": str, "headers": dict, "within_ms": int}


def _problems(given: Any) -> list[str]:
    if not isinstance(given, dict):
        return [f"{given!r} is no object with path, status, body, headers and within_ms"]
    found = [f"{key} is no key; there are {', '.join(_TYPES)}" for key in given if key not in _TYPES]
    found += [
        f"{key} must be {'text' if kind is str else 'a whole number' if kind is int else 'an object of names and values'}"
        for key, kind in _TYPES.items()
        if key in given and (not isinstance(given[key], kind) or isinstance(given[key], bool))
    ]
    if not re.fullmatch(r"/[!-~]*", str(given.get("path", ""))):
        found.append("path must be there, start with '/', and have neither spaces nor letters outside ASCII")
    headers = given.get("headers")
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if isinstance(value, dict | list):
            found.append(f"headers.{name} must be text")
    try:
        re.compile(str(given.get("body", "")))
    except (re.error, OverflowError, RecursionError) as error:
        found.append(f"body is no regular expression: {error}")
    return found


def _texts(headers: Mapping[str, Any]) -> dict[str, str]:
    """Headers as texts: a number or a boolean is what the file says."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in headers.items()}


def run(check: Check, endpoint: Endpoint) -> Outcome:
    """Asks once, and judges the answer."""
    answer = get(endpoint, check.path)
    milliseconds = round(answer.seconds * 1000)
    failures = [answer.error] if answer.error else []
    if not answer.error:
        if answer.status != check.status:
            failures.append(f"status {answer.status}, not {check.status}")
        if check.body and not re.search(check.body, answer.body):
            failures.append(f"nothing in the body matches {check.body!r}: {answer.body[:200]!r}")
        for name, wanted in check.headers.items():
            if answer.headers.get(name.lower()) != str(wanted):
                failures.append(f"header {name} is {answer.headers.get(name.lower(), 'absent')}, not {wanted}")
    if check.within_ms and milliseconds > check.within_ms:
        failures.append(f"{milliseconds} ms, not within {check.within_ms}")
    return Outcome(name=f"GET {check.path}", milliseconds=milliseconds, failure="; ".join(failures))


def variables(endpoint: Endpoint, color: str) -> dict[str, str]:
    """What a command finds in its environment."""
    return {
        "BLUEGREEN_URL": endpoint.url,
        "BLUEGREEN_COOKIE": endpoint.cookie,
        "BLUEGREEN_HOST": endpoint.host,
        "BLUEGREEN_COLOR": color,
    }


def run_command(command: Sequence[str], endpoint: Endpoint, color: str, output: int | None) -> int:
    """The exit status of the command; what it prints goes to the file descriptor `output`, or where ours goes."""
    try:
        return subprocess.run(command, env={**os.environ, **variables(endpoint, color)}, stdout=output, check=False).returncode
    except OSError as error:
        raise ReleaseError(Exit.SMOKE_TEST_FAILED, f"The smoke test {command[0]} cannot be run: {error}") from None

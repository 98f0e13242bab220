"""The states of stacks, as the Pulumi CLI exports them. Commands inherit the backend and its credentials from this process."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.release.objects import value_at
from bluegreen.release.ownership import Evidence

# An export reads one file; a backend that does not respond must not hold up an update for ever.
LONGEST_SECONDS = 60

_NO_STACK = re.compile(r"no stack named ")


class BackendError(Exception):
    """The backend could not be asked, or did not understand. The message says why."""


def exported(stack: str) -> Mapping[str, Any] | None:
    """The state of a stack (organization/project/stack), secrets encrypted; None if there is no such stack.

    Needs no lock and no passphrase, so it works during an update of that stack. Raises `BackendError`.
    """
    command = ["pulumi", "stack", "export", "--stack", stack, "--non-interactive", "--color", "never"]
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{' '.join(command)}: {error}") from None
    if ran.returncode:
        if _NO_STACK.search(ran.stderr):
            return None
        raise BackendError(f"{' '.join(command)}: {ran.stderr.strip()}")
    try:
        found = json.loads(ran.stdout)
    except ValueError as error:
        raise BackendError(f"{' '.join(command)}: {error}") from None
    return found if isinstance(found, Mapping) else {}


def exists(stack: str) -> bool | None:
    """Whether there is a stack of that name (organization/project/stack); None if that cannot be found out."""
    try:
        return exported(stack) is not None
    except BackendError:
        return None


def evidence(owner: str, others: Iterable[str]) -> Evidence:
    """Which of the stacks `others` exist, and what the state of the stack `owner` records."""
    known = {stack: found for stack in others if (found := exists(stack)) is not None}
    try:
        return Evidence(stacks=known, recorded=frozenset(uids(exported(owner) or {})))
    except BackendError:
        return Evidence(stacks=known)


def uids(state: Mapping[str, Any]) -> Iterable[str]:
    """The uids of the objects of a cluster that an exported state records."""
    resources = value_at(state, "deployment", "resources")
    for resource in resources if isinstance(resources, list) else ():
        uid = value_at(resource, "outputs", "metadata", "uid")
        if isinstance(uid, str) and uid:
            yield uid

"""Reads the states of stacks with `pulumi stack export`, which uses the backend and credentials of this process.

It never writes a state, and needs neither the lock nor the passphrase of a stack.
"""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.release.objects import value_at
from bluegreen.release.ownership import Evidence

# An export reads one file. A backend that does not respond must not block an update for ever.
LONGEST_SECONDS = 60

_NO_STACK = re.compile(r"no stack named ")


class BackendError(Exception):
    """A state could not be read. The message contains the command and its error."""


def exported(stack: str) -> Mapping[str, Any] | None:
    """The state of a stack (organization/project/stack), with encrypted secrets; None if the stack does not exist.

    Works during an update of that stack. Raises `BackendError`.
    """
    command = ["pulumi", "stack", "export", "--stack", stack, "--non-interactive", "--color", "never"]
    try:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LONGEST_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"{' '.join(command)}: {error}") from None
    if result.returncode:
        if _NO_STACK.search(result.stderr):
            return None
        raise BackendError(f"{' '.join(command)}: {result.stderr.strip()}")
    try:
        state = json.loads(result.stdout)
    except ValueError as error:
        raise BackendError(f"{' '.join(command)}: {error}") from None
    return state if isinstance(state, Mapping) else {}


def exists(stack: str) -> bool | None:
    """Whether a stack (organization/project/stack) exists; None if its backend cannot be read."""
    try:
        return exported(stack) is not None
    except BackendError:
        return None


def evidence(owner: str, others: Iterable[str]) -> Evidence:
    """Which of the stacks `others` exist, and the uids of the objects in the state of the stack `owner`."""
    existing = {stack: is_existing for stack in others if (is_existing := exists(stack)) is not None}
    try:
        return Evidence(stacks=existing, recorded=frozenset(uids(exported(owner) or {})))
    except BackendError:
        return Evidence(stacks=existing)


def uids(state: Mapping[str, Any]) -> Iterable[str]:
    """The uids of the Kubernetes objects in an exported state."""
    resources = value_at(state, "deployment", "resources")
    for resource in resources if isinstance(resources, list) else ():
        uid = value_at(resource, "outputs", "metadata", "uid")
        if isinstance(uid, str) and uid:
            yield uid

"""The parts of a stack's config that its file does not hold: a Pulumi ESC environment, and variables that the CLI reads.

The command reads the file itself because the CLI takes half a second. Where the file alone does not decide what the engine
hands to the program, the CLI is asked; where that fails, the command refuses. It never goes on with defaults: they are
the namespace and the cluster of somebody else. Does not import Pulumi.
"""

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bluegreen.cli import project
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.pulumi_sentences import UNKNOWN, VARIABLES_TABLE

# An environment may log in to a cloud when it is opened.
LONGEST_SECONDS = 120

# Pulumi reads every option from a variable, too. These give values, or another project, to `pulumi up` alone.
_OVERRIDES = ("PULUMI_OPTION_CONFIG", "PULUMI_OPTION_CONFIG_PATH", "PULUMI_OPTION_OVERRIDE_ENV", "PULUMI_OPTION_CWD")


# These let an update skip or replace objects, or go on with deletions after an error: not the update that the rules judged.
_PARTIAL = (
    "PULUMI_OPTION_TARGET",
    "PULUMI_OPTION_TARGET_REPLACE",
    "PULUMI_OPTION_EXCLUDE",
    "PULUMI_OPTION_REPLACE",
    "PULUMI_OPTION_CONTINUE_ON_ERROR",
    "PULUMI_CONTINUE_ON_ERROR",
)


def refuse_partial_updates() -> None:
    """Raises `ReleaseError` if a variable makes the engine carry out a part of an update, or go on after an error."""
    if given := [name for name in _PARTIAL if os.environ.get(name)]:
        raise ReleaseError(
            Exit.CONFIG,
            f"{' and '.join(given)} lets Pulumi carry out a part of an update, which the rules cannot judge.\n"
            f"Nothing was changed.\n  next: unset {' '.join(given)}.",
        )


def refuse_overrides() -> None:
    """Raises `ReleaseError` if a variable gives the engine config that is not in the stack's file."""
    if given := [name for name in _OVERRIDES if os.environ.get(name)]:
        raise ReleaseError(
            Exit.CONFIG,
            f"{' and '.join(given)} changes the config that Pulumi uses, and this command cannot see it. Nothing was changed.\n"
            f"  next: unset {' '.join(given)}, and set the values in the stack's config file.",
        )


def text_with_environment(file: Path) -> str:
    """The text of a stack's config file that gets values from a Pulumi ESC environment; empty for any other file.

    Empty too if the file cannot be read, or is no YAML: the reader of the config reports it.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
    if "environment" not in text:  # spares a second parsing of most files
        return ""
    import yaml

    try:
        content = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError):
        return ""
    section = content.get("environment") if isinstance(content, dict) else None
    return "" if section is None or section == [] else text


@functools.lru_cache(maxsize=8)
def ask(stack: str, file: Path, text: str) -> tuple[Mapping[str, str], Sequence[str]]:  # noqa: ARG001 - `text` is for the cache
    """The config of `stack` as the CLI resolves it, as full key -> text, and the keys that are secret.

    A secret is "[secret]", and `secretEnv` is left out if it is one. `text` is what `file` holds: the CLI runs once for each.
    Raises `ReleaseError` if the CLI cannot resolve it.
    """
    where = ["--show-secrets=false", "--stack", stack, "--config-file", str(file.resolve())]
    # Opened, because a value that a provider computes is "[unknown]" otherwise.
    found = _parsed(_run(["config", "--json=true", "--open=true", *where], stack, file), stack, file)
    # Not opened: it would write the files of the environment, and leave them.
    if "KUBECONFIG" not in os.environ and _sets_kubeconfig(
        _run(["config", "--json=false", "--open=false", *where], stack, file)
    ):
        raise _unresolved(
            stack,
            file,
            "the environment sets KUBECONFIG, so Pulumi and this command would use different clusters",
            "run this command in that environment: pulumi env run <environment> -- bluegreen ...",
        )
    secrets = [key for key, entry in found.items() if entry.get("secret")]
    values = {key: "[secret]" if key in secrets else str(entry.get("value") or "") for key, entry in found.items()}
    return {key: value for key, value in values.items() if not (key in secrets and key.endswith(":secretEnv"))}, secrets


def _run(arguments: list[str], stack: str, file: Path) -> str:
    command = ["pulumi", "--non-interactive", "--color", "never", *arguments]
    try:
        ran = subprocess.run(
            command,
            cwd=project.ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise _unresolved(stack, file, "there is no pulumi on PATH") from None
    except subprocess.TimeoutExpired:
        raise _unresolved(stack, file, f"pulumi config did not end in {LONGEST_SECONDS} s") from None
    if ran.returncode:
        raise _unresolved(
            stack, file, ran.stderr.strip().removeprefix("error: ") or f"pulumi config ended with {ran.returncode}"
        )
    return ran.stdout


def _parsed(printed: str, stack: str, file: Path) -> dict[str, dict[str, Any]]:
    try:
        found = json.loads(printed)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise _unresolved(stack, file, f"pulumi config printed no JSON object: {printed.strip()[:200]}")
    if unknown := [key for key, entry in found.items() if UNKNOWN in str(entry.get("value"))]:
        raise _unresolved(stack, file, f"the environment leaves {' and '.join(unknown)} unknown")
    return found


def _sets_kubeconfig(printed: str) -> bool:
    """Whether an environment sets KUBECONFIG, by the table of its variables that `pulumi config` prints below the values."""
    return any(line.split()[:1] == ["KUBECONFIG"] for line in printed.partition(VARIABLES_TABLE)[2].splitlines())


def _unresolved(stack: str, file: Path, why: str, remedy: str = "") -> ReleaseError:
    works = f"pulumi config --open --stack {stack} --config-file {file} must work; or move the values to config:"
    return ReleaseError(
        Exit.CONFIG,
        f"The stack {stack} gets config from a Pulumi ESC environment (environment: in {file}), which could not be resolved.\n"
        f"Nothing was changed.\n  why:  {why}\n  next: {remedy or works}",
    )

"""Encrypts values of Secrets as the stack does, for `<color>:secretData` in its config file.

The CLI gets each value on its standard input: arguments are visible to everybody on the host. It writes into a temporary file,
from which the ciphertexts are taken: the stack's file is changed once, together with the rest of a release. A value that is
unchanged keeps its ciphertext, because the file is reviewed as a diff.
"""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bluegreen.cli import config_edit, file_write, project
from bluegreen.cli.outcomes import Exit, ReleaseError, no_pulumi
from bluegreen.cli.process import failure
from bluegreen.release.colors import COLORS, other
from bluegreen.release.snapshot_file import Moved, SecretData
from bluegreen.release.stack_file import is_secret

LONGEST_SECONDS = 60

# How a config file names the key that its secrets are encrypted with.
_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt")


@dataclass(frozen=True, kw_only=True)
class SecretStore:
    """The encrypted values of one stack and its config file."""

    stack: str
    file: Path

    def secret_data(self, color: str, moved: Moved) -> Mapping[str, Any] | None:
        """`<color>:secretData` for what was moved out of a snapshot, None if it has no Secret.

        A value that was in the config already is taken from there, if need be from the other color: its snapshot may be the
        source.
        """
        if not moved.values and not moved.kept:
            return None
        present = {name: config_edit.read(self.file).get(f"{name}:secretData") for name in (color, other(color))}
        known = self._decrypted() if any(present.values()) else {}
        wanted = {name: dict(values) for name, values in moved.values.items()}
        for name, key in moved.kept:
            for values in (known.get(color, {}), known.get(other(color), {})):
                if key in values.get(name, {}):
                    wanted.setdefault(name, {}).setdefault(key, values[name][key])
        unchanged = _unchanged(present[color], known.get(color, {}), wanted)
        missing = [(name, key) for name, values in wanted.items() for key in values if (name, key) not in unchanged]
        encrypted = unchanged | self._encrypted(color, wanted, missing)
        return {name: {key: encrypted[name, key] for key in values} for name, values in wanted.items()}

    def differing(self) -> list[str]:
        """The keys whose values differ between the colors, as "Secret db: password". Raises `ReleaseError`."""
        known = self._decrypted()
        blue, green = (known.get(color, {}) for color in COLORS)
        shared = [(name, key) for name, values in blue.items() for key in values if key in green.get(name, {})]
        return sorted(f"Secret {name}: {key}" for name, key in shared if blue[name][key] != green[name][key])

    def _decrypted(self) -> Mapping[str, SecretData]:
        """The values in the config by color."""
        found = json.loads(self._run("config", "--show-secrets", "--json", file=self.file))
        return {color: found.get(f"{color}:secretData", {}).get("objectValue") or {} for color in COLORS}

    def _encrypted(
        self, color: str, values: SecretData, wanted: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], Mapping[str, str]]:
        """The ciphertext of each of the wanted values."""
        if not wanted:
            return {}
        with tempfile.TemporaryDirectory(prefix="bluegreen-") as directory:
            file = Path(directory, self.file.name)
            file.write_text(yaml.safe_dump(_encryption(self.file)))
            for name, key in wanted:
                path = f'{color}:secretData["{name}"]["{key}"]'
                self._run("config", "set", "--secret", "--path", "--raw", path, file=file, value=values[name][key])
            self._keep_new_key(file)
            found = config_edit.read(file)[f"{color}:secretData"]
        return {(name, key): found[name][key] for name, key in wanted}

    def _keep_new_key(self, file: Path) -> None:
        """The CLI has made a key where the stack had none yet: the ciphertexts are worth nothing without it."""
        if new := {name: value for name, value in _encryption(file).items() if name not in _encryption(self.file)}:
            text = file_write.text_or_none(self.file) or ""
            file_write.replace(self.file, f"{text.rstrip()}\n{yaml.safe_dump(new)}".lstrip())

    def _run(self, *command: str, file: Path, value: str = "") -> str:
        """Runs the CLI. Not by `process.Pulumi`, which writes what it prints into files."""
        where = ["--stack", self.stack, "--config-file", str(file.resolve())]
        try:
            ran = subprocess.run(
                ["pulumi", "--non-interactive", "--color", "never", *command, *where],
                cwd=project.ROOT,
                input=value,
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise no_pulumi() from None
        except subprocess.TimeoutExpired:
            raise ReleaseError(
                Exit.TIMEOUT, f"'pulumi config' did not end in {LONGEST_SECONDS} s. Nothing was changed.\n  next: run it again."
            ) from None
        if ran.returncode:
            raise failure("", ran.stderr, ran.returncode).with_text(
                f"So the values of the Secrets for {self.file.name} were not encrypted, and nothing was changed."
            )
        return ran.stdout


def _encryption(file: Path) -> dict[str, str]:
    content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    return {name: content[name] for name in _KEYS if name in content}


def _unchanged(present: object, known: SecretData, wanted: SecretData) -> dict[tuple[str, str], Mapping[str, str]]:
    """The ciphertexts in the config whose value is wanted as it is."""
    if not isinstance(present, Mapping) or is_secret(present):
        return {}
    found = {
        (name, key): value for name, values in present.items() if isinstance(values, Mapping) for key, value in values.items()
    }
    return {
        (name, key): value
        for (name, key), value in found.items()
        if is_secret(value) and key in wanted.get(name, {}) and known.get(name, {}).get(key) == wanted[name][key]
    }

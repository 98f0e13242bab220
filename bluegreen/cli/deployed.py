"""The config of the last good update, taken from the state: for a pipeline that does not write the config file.

The engine remembers the config of every update, refused and failed ones too, and `pulumi config refresh` gives the newest. So
what a release is (who is active, which images) is taken from the newest update that succeeded. Secrets stay encrypted.
"""

import shutil
from pathlib import Path

from bluegreen.cli import config_edit
from bluegreen.cli.config_changes import EXPECT, RELEASE_KEYS
from bluegreen.cli.config_edit import ConfigFileError
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.stack import Stack


def write(stack_name: str, file: Path, timeout_seconds: float, rest: Path | None = None) -> None:
    """Writes the config into `file`; what is no part of a release is that of the file `rest`, if one is given.

    Raises `ReleaseError` when the stack has none yet.
    """
    file.write_text("")
    stack = Stack(stack_name, file, wait_seconds=0, timeout_seconds=timeout_seconds, show=lambda _: None)
    good = next((update for update in stack.history() if update.kind == "update" and update.result == "succeeded"), None)
    if good is None:
        raise ReleaseError(
            Exit.CONFIG,
            f"The stack {stack_name} has had no good update yet, so its state holds no config to start from.\n"
            "  next: run the first update from a config file, without --from-state.",
        )
    if rest:
        _copy(rest, file)
    else:
        stack.refresh_config()
    present = {key: value for key in RELEASE_KEYS if (value := good.config.get(key))}
    # An approval was for its own update.
    config_edit.change(file, {key: present.get(key) or None for key in RELEASE_KEYS} | {EXPECT: None})


def _copy(rest: Path, file: Path) -> None:
    try:
        config_edit.read(rest)
    except ConfigFileError as error:
        raise ReleaseError(Exit.CONFIG, str(error)) from None
    shutil.copyfile(rest, file)

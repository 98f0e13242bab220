"""The file that a shell sources to use the sandbox (`. .sandbox/env`)."""

import shlex
from pathlib import Path

from dev.sandbox.files import write as write_file
from dev.sandbox.layout import GATEWAY_PORT, LOOPBACK, Layout

# Pulumi requires a passphrase. It protects nothing: the sandbox's stacks are removed with it.
PASSPHRASE = "sandbox"


def sandbox_variables(layout: Layout, *, own_pulumi: bool) -> dict[str, str]:
    """The variables for work on the sandbox. `own_pulumi`: Pulumi is the sandbox's, not the machine's."""
    return (
        pulumi_variables(layout, own_pulumi=own_pulumi)
        | {"KUBECONFIG": str(layout.kubeconfig)}
        | {"GATEWAY_URL": f"http://{LOOPBACK}:{GATEWAY_PORT}", "NODE_ADDRESS": LOOPBACK}
    )


def pulumi_variables(layout: Layout, *, own_pulumi: bool) -> dict[str, str]:
    """The variables for Pulumi with any cluster: the state backend in the checkout, and the CLI to use."""
    variables = {
        "VIRTUAL_ENV": str(layout.checkout / ".venv"),
        "PULUMI_BACKEND_URL": f"file://{layout.state}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if own_pulumi:
        # All plugins are installed here. A missing one is a mistake that must fail at once, not trigger a download.
        variables |= {
            "PULUMI_HOME": str(layout.pulumi_home),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
    return variables


def write(layout: Layout, variables: dict[str, str]) -> None:
    """Writes the file atomically."""
    path = ":".join(shlex.quote(str(folder)) for folder in _path(layout))
    lines = ["# Source this file in a shell. Created by `make sandbox`, removed by `make sandbox-down`."]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f'case ":$PATH:" in *:{path}:*) ;; *) export PATH={path}:"$PATH" ;; esac']
    write_file(layout.environment_file, "\n".join(lines) + "\n")


def _path(layout: Layout) -> list[Path]:
    # Pulumi's language host runs the program with the first `python` on PATH.
    return [layout.checkout / ".venv" / "bin", layout.bin]

"""The file that a shell sources to use the sandbox (`. .sandbox/env`)."""

import shlex
from pathlib import Path

from dev.sandbox.files import write as write_file
from dev.sandbox.layout import GATEWAY_PORT, LOOPBACK, Layout

# Stacks in the sandbox live and die with it, so this protects nothing; Pulumi insists on one.
PASSPHRASE = "sandbox"


def sandbox_variables(layout: Layout, *, own_pulumi: bool) -> dict[str, str]:
    """What a shell needs to work on the sandbox. `own_pulumi`: Pulumi comes with it and is not the machine's."""
    return (
        pulumi_variables(layout, own_pulumi=own_pulumi)
        | {"KUBECONFIG": str(layout.kubeconfig)}
        | {"GATEWAY_URL": f"http://{LOOPBACK}:{GATEWAY_PORT}", "NODE_ADDRESS": LOOPBACK}
    )


def pulumi_variables(layout: Layout, *, own_pulumi: bool) -> dict[str, str]:
    """What a shell needs for Pulumi, whatever the cluster: a state backend in the checkout, and which Pulumi it is."""
    variables = {
        "VIRTUAL_ENV": str(layout.checkout / ".venv"),
        "PULUMI_BACKEND_URL": f"file://{layout.state}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if own_pulumi:
        # Everything it needs is here; a plugin that is not is a mistake: to be told at once, not looked for elsewhere.
        variables |= {
            "PULUMI_HOME": str(layout.pulumi_home),
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
    return variables


def write(layout: Layout, variables: dict[str, str]) -> None:
    """Write the file, whole or not at all."""
    path = ":".join(shlex.quote(str(folder)) for folder in _path(layout))
    lines = ["# To be sourced by a shell. Made by `make sandbox`; removed by `make sandbox-down`."]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f'case ":$PATH:" in *:{path}:*) ;; *) export PATH={path}:"$PATH" ;; esac']
    write_file(layout.environment_file, "\n".join(lines) + "\n")


def _path(layout: Layout) -> list[Path]:
    # Pulumi's language host takes the first `python` for that of the program.
    return [layout.checkout / ".venv" / "bin", layout.bin]

"""What must answer at once imports little: Pulumi alone takes longer to import than `status` may take."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import ROOT


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("bluegreen.cli.main, bluegreen.cli.status", ["pulumi", "pulumi_kubernetes", "rich"]),
        ("bluegreen.cli.emergency", ["pulumi", "click", "rich"]),
        (
            "bluegreen.cli.deploy, bluegreen.cli.inspect, bluegreen.cli.plan",
            [
                "pulumi",
                "rich",
                "bluegreen.cli.render",
                "bluegreen.cli.secret_data",
                "bluegreen.cli.snapshot_diff",
                "bluegreen.release.snapshot_file",
                "bluegreen.workload.manifest",
            ],
        ),
        ("bluegreen.release.live", ["http.client", "ssl", "yaml"]),
    ],
    ids=[
        "status and --help",
        "the first half of rollback --now",
        "subcommands that may render, without a manifest",
        "the program, before it has asked for the provider",
    ],
)
def test_what_answers_at_once_imports_little(modules: str, absent: list[str]) -> None:
    script = f"import sys, {modules}; print([name for name in {absent} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


# Runs a subcommand until it starts the CLI, or ends, and prints how many modules were imported by then, and those of the SDK.
COUNT = """
import json, sys
from bluegreen.cli import {modules}
from bluegreen.cli.main import cli
def report(*_, **__):
    names = sorted(name for name in sys.modules if name.split(".")[0] in ("pulumi", "grpc", "google"))
    print(json.dumps([len(sys.modules), names]))
    sys.stdout.flush()
    import os
    os._exit(0)
{until} = report
cli({arguments}, standalone_mode=False)
report()
"""


@pytest.mark.parametrize(
    ("modules", "until", "arguments", "most"),
    [
        ("process", "process.subprocess.Popen", ["up"], 265),
        ("process", "process.subprocess.Popen", ["activate", "blue", "--url", "http://x.example"], 265),
        ("emergency", "emergency.move", ["rollback", "--now"], 245),
        ("status", "status.look", ["status"], 240),
    ],
    ids=["up", "activate", "rollback --now, until it moves users", "status"],
)
def test_a_subcommand_imports_nothing_of_the_sdk_and_few_modules(
    tmp_path: Path, modules: str, until: str, arguments: list[str], most: int
) -> None:
    config = tmp_path / "Pulumi.prod.yaml"
    config.write_text("config:\n  bluegreen:activeColor: blue\n  blue:imageTag: '1.0'\n")
    where = ["--stack", "prod", "--config-file", str(config)]
    script = COUNT.format(modules=modules, until=until, arguments=[*arguments, *where])
    environment = {**os.environ, "KUBECONFIG": os.devnull, "XDG_RUNTIME_DIR": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    count, of_the_sdk = json.loads(ran.stdout.splitlines()[-1])
    assert of_the_sdk == []
    assert count <= most

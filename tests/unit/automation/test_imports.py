"""What must answer at once imports little: Pulumi alone takes longer to import than `status` may take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import ROOT


@pytest.mark.parametrize(
    ("modules", "absent"),
    [
        ("automation.cli, automation.status", ["pulumi", "pulumi_kubernetes", "rich"]),
        ("automation.emergency", ["pulumi", "click", "rich"]),
    ],
    ids=["status and --help", "the first half of rollback --now"],
)
def test_what_answers_at_once_imports_little(modules: str, absent: list[str]) -> None:
    script = f"import sys, {modules}; print([name for name in {absent} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


NOBODY_ANSWERS = """
apiVersion: v1
kind: Config
current-context: nobody
clusters: [{name: nobody, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
contexts: [{name: nobody, context: {cluster: nobody, user: nobody}}]
"""


def test_rollback_now_imports_of_its_http_client_only_what_it_uses(tmp_path: Path) -> None:
    kubeconfig, config = tmp_path / "kubeconfig", tmp_path / "Pulumi.dev.yaml"
    kubeconfig.write_text(NOBODY_ANSWERS)
    config.write_text("config: {bluegreen:activeColor: blue, bluegreen:image: shop, blue:imageTag: '1.0'}\n")
    command = ["automation", "rollback", "--now", "--stack", "dev", "--config-file", str(config)]
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "httpcore2" in imported, "the cluster was not asked"
    assert not imported & {"h2.connection", "anyio.abc"}

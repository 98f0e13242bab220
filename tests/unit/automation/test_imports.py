"""What must answer at once imports little: Pulumi alone takes longer to import than `status` may take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster import ROOT
from tests.unit.automation.served import kubeconfig


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


NOBODY_ANSWERS = "http://127.0.0.1:1"


def test_rollback_now_imports_of_its_http_client_only_what_it_uses(tmp_path: Path) -> None:
    leads_to, config = tmp_path / "kubeconfig", tmp_path / "Pulumi.dev.yaml"
    leads_to.write_text(kubeconfig(NOBODY_ANSWERS))
    config.write_text("config: {bluegreen:activeColor: blue, bluegreen:image: shop, blue:imageTag: '1.0'}\n")
    command = ["automation", "rollback", "--now", "--stack", "dev", "--config-file", str(config)]
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        cwd=ROOT,
        env={**os.environ, "KUBECONFIG": str(leads_to)},
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in ran.stderr.splitlines() if line.startswith("import time:")}
    assert "httpcore2" in imported, "the cluster was not asked"
    assert not imported & {"h2.connection", "anyio.abc"}

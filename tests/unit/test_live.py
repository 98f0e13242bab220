"""What is live is read safely, whoever asks at the same time."""

import json
import subprocess
import sys
from pathlib import Path

from tests.cluster import ROOT
from tests.unit.api_server import Answer, Request, api_server, kubeconfig

# As many threads as an environment has objects ask at once, with the threads taking turns as often as they can.
ASK_AT_ONCE = """
import sys, threading
from release.live import Cluster

sys.setswitchinterval(1e-6)
cluster = Cluster(context="", namespace="any", app="myapp", routing="istio")
kinds = [("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ConfigMap"), ("policy/v1", "PodDisruptionBudget")] * 2
together = threading.Barrier(len(kinds))

def ask(version, kind):
    together.wait()
    cluster.get(version, kind, "any")
    cluster.find(version, kind, app="myapp")

threads = [threading.Thread(target=ask, args=kind) for kind in kinds]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_may_read_at_once(tmp_path: Path) -> None:
    item = {"kind": "Any", "metadata": {"name": "any", "labels": {"app": "myapp"}, "creationTimestamp": "2026-01-01T00:00:00Z"}}

    def answer(asked: Request) -> Answer:
        return 200, {"metadata": {"resourceVersion": "1"}, "items": [item]} if "?" in asked.path else item

    with api_server(answer) as (url, _):
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig("c", url, current="c")))
        ran = subprocess.run(
            [sys.executable, "-c", ASK_AT_ONCE],
            cwd=ROOT,
            env={"KUBECONFIG": str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")

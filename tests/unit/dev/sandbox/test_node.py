"""The node's network, created in a network namespace of the test."""

import os
import subprocess
import sys

import pytest

from dev.sandbox.layout import BRIDGE
from tests.cluster import ROOT

# One end of a pair of devices is what a pod is attached by; its address is the lowest there can be.
SCRIPT = f"""
set -e
mount -t sysfs none /sys
{sys.executable} -c "from dev.sandbox.node import create_bridge; create_bridge()"
cat /sys/class/net/{BRIDGE}/address
ip link add pod address 00:00:00:00:00:01 type veth peer name far
ip link set pod master {BRIDGE} up
cat /sys/class/net/{BRIDGE}/address
ip link delete pod
cat /sys/class/net/{BRIDGE}/address
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network devices, and so a sandbox")
def test_the_bridge_keeps_its_mac_address_when_pods_start_and_stop() -> None:
    command = ["unshare", "--net", "--mount", "sh", "-c", SCRIPT]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 0, ran.stderr
    before, with_pod, after = ran.stdout.split()
    assert before == with_pod == after

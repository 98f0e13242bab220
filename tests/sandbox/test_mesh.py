"""How the gateway's proxy is started."""

import subprocess
from pathlib import Path

import pytest

from sandbox import mesh
from sandbox.layout import Layout

AUTOGROUP = Path("/proc/self/autogroup")

pytestmark = pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel does not divide the processors among sessions")


def started_like_the_gateway(layout: Layout, user: int) -> str:
    """What the group of a process says of itself that is started as the proxy is, in a session of its own, by `user`."""
    command = [*mesh.envoy(layout).launcher, "cat", str(AUTOGROUP)]
    return subprocess.run(command, user=user, start_new_session=True, capture_output=True, text=True, check=True).stdout


def test_the_gateway_comes_before_whatever_shares_its_cores(tmp_path: Path) -> None:
    assert f"nice {mesh.PREFERENCE}" in started_like_the_gateway(Layout(tmp_path), user=0)


def test_the_gateway_starts_where_it_may_not_come_first(tmp_path: Path) -> None:
    assert "nice 0" in started_like_the_gateway(Layout(tmp_path), user=65534)

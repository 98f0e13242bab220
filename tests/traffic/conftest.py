"""The load generator is one of the sandbox's tools: it is found as a shell finds it that has sourced `.sandbox/env`."""

import os
from collections.abc import Iterator

import pytest

from tests.cluster import ROOT


@pytest.fixture(scope="session", autouse=True)
def tools_on_path() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{ROOT / '.sandbox' / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield

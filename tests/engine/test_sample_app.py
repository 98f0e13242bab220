"""The sample application does what a zero-downtime release asks of every application, and the client that loads it by several
protocols counts right: their own tests, by their own tool."""

import pytest

from dev.sandbox import go, toolchain


@pytest.mark.parametrize("tool", [toolchain.APP, toolchain.PROTOCOLS], ids=lambda tool: tool.name)
def test_the_tests_of_the_sources_pass(tool: toolchain.Tool) -> None:
    said = go.find(toolchain.cache_directory()).run(["test", "./..."], toolchain.CHECKOUT / tool.source)
    assert said.startswith("ok")

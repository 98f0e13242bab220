"""The sample application does what a zero-downtime release asks of every application: its own tests, by its own tool."""

from pathlib import Path

from dev.sandbox import go, toolchain

APP = Path(__file__).parents[2] / toolchain.APP.source


def test_the_tests_of_the_sample_application_pass() -> None:
    said = go.find(toolchain.cache_directory()).run(["test", "./..."], APP)
    assert said.startswith("ok")

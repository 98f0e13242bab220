"""A tool is rebuilt if and only if its inputs have changed."""

import dataclasses
import os
import time
from pathlib import Path

import pytest

from dev.bench import peers
from dev.sandbox import toolchain
from dev.sandbox.go import Go
from dev.sandbox.progress import Progress
from dev.sandbox.toolchain import Tool, cache_key

TOOL = Tool(name="tool", source="dev/tools/tool", commands={"tool": "."}, usual_seconds=1)
GO = "go1.26.6"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    source = tmp_path / TOOL.source
    source.mkdir(parents=True)
    (source / "go.mod").write_text("module tools/tool\n\nrequire example.com/a v1.0.0\n")
    (source / "go.sum").write_text("example.com/a v1.0.0 h1:x\n")
    (source / "main.go").write_text("package main\n")
    (source / "sdk/go").mkdir(parents=True)
    (source / "sdk/go/kinds.go").write_text("package kinds\n")
    return tmp_path


@pytest.mark.parametrize("file", ["go.mod", "go.sum", "main.go", "sdk/go/kinds.go"])
def test_changed_source_changes_the_key(checkout: Path, file: str) -> None:
    before = cache_key(TOOL, GO, checkout)
    with (checkout / TOOL.source / file).open("a") as source:
        source.write("// changed\n")
    assert cache_key(TOOL, GO, checkout) != before


@pytest.mark.parametrize(
    "change",
    [
        {"values": {"main.version": "2"}},
        {"tags": ("no_zfs",)},
        {"commands": {"other": "."}},
        {"replaced": {"example.com/a": "sdk"}},
    ],
    ids=["linker value", "tag", "command", "replaced module"],
)
def test_changed_recipe_changes_the_key(checkout: Path, change: dict[str, object]) -> None:
    changed = dataclasses.replace(TOOL, **change)  # type: ignore[arg-type]
    assert cache_key(changed, GO, checkout) != cache_key(TOOL, GO, checkout)


def test_another_compiler_changes_the_key(checkout: Path) -> None:
    assert cache_key(TOOL, "go1.27.0", checkout) != cache_key(TOOL, GO, checkout)


def test_tests_and_estimates_do_not_change_the_key(checkout: Path) -> None:
    before = cache_key(TOOL, GO, checkout)
    (checkout / TOOL.source / "main_test.go").write_text("package main\n")
    assert cache_key(dataclasses.replace(TOOL, usual_seconds=99), GO, checkout) == before


ON_DEMAND = (toolchain.ACTIONLINT, toolchain.HELM, toolchain.PROTOCOLS, toolchain.NOTES, peers.ARGO, peers.FLAGGER)


def test_every_pin_folder_belongs_to_a_tool() -> None:
    tools = (*toolchain.PULUMI_TOOLS, *toolchain.CLUSTER, *toolchain.BESIDE, *ON_DEMAND)
    used = {tool.source for tool in tools if tool.source.startswith("dev/tools/")}
    assert used == {f"dev/tools/{path.parent.name}" for path in (toolchain.CHECKOUT / "dev/tools").glob("*/go.mod")}


def test_sandbox_needs_no_tool_of_a_single_test_or_benchmark() -> None:
    sandbox = {tool.name for tool in (*toolchain.PULUMI_TOOLS, *toolchain.CLUSTER, *toolchain.BESIDE)}
    assert sandbox & {tool.name for tool in ON_DEMAND} == set()


def test_cached_tool_is_not_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    no_go = Go("/nonexistent/go", GO)
    folder = toolchain.folder_of(toolchain.PAUSE, no_go, tmp_path)
    folder.mkdir()
    assert toolchain.build((toolchain.PAUSE,), no_go, tmp_path, Progress()) == {"pause": folder}
    assert capsys.readouterr().err == ""


def test_only_builds_unused_for_a_month_are_deleted(tmp_path: Path) -> None:
    recent, old, of_another = (tmp_path / f"{name}-{'0' * 15}{n}" for n, name in enumerate(("tool", "tool", "tool-two")))
    for folder in (recent, old, of_another):
        folder.mkdir()
    for folder in (old, of_another):
        os.utime(folder, (0, time.time() - toolchain.KEEP_UNUSED_SECONDS - 60))
    toolchain._forget_unused(TOOL, tmp_path)
    assert (recent.exists(), old.exists(), of_another.exists()) == (True, False, True)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"BLUEGREEN_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, Path("/own")),
        ({"XDG_CACHE_HOME": "/xdg"}, Path("/xdg/pulumi-blue-green")),
        ({}, Path("/home/someone/.cache/pulumi-blue-green")),
    ],
    ids=["own", "xdg", "default"],
)
def test_cache_directory_follows_the_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: Path
) -> None:
    for name in ("BLUEGREEN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert toolchain.cache_directory() == expected

"""A source becomes plain objects; what cannot be rendered is one clear error, with the words of the tool."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.render import Rendered, render
from bluegreen.cli.sources import Source, Tool

SERVICE = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n"
HOOK = "---\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {0}\n  annotations:\n    helm.sh/hook: {0}\n"

Fake = Callable[..., Path]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a kubectl and a helm on PATH that print and end as the test says; returns the file with their arguments."""

    def make(printed: str, *, status: int = 0, error: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "printed").write_text(printed)
        (folder / "error").write_text(error)
        for name in ("kubectl", "helm"):
            script = folder / name
            script.write_text(
                f'#!/bin/sh\ncd "{folder}"\nprintf "%s\\n" "{name}" "$@" >>log\ncat printed\ncat error >&2\nexit {status}\n'
            )
            script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        return folder / "log"

    return make


def rendered(tool: Tool, target: str | Path, *values: Path) -> Rendered:
    return render(Source(tool=tool, target=str(target), values=values), app="shop", namespace="prod")


def refusal(tool: Tool, target: str | Path) -> ReleaseError:
    with pytest.raises(ReleaseError) as refused:
        rendered(tool, target)
    return refused.value


def test_the_files_of_a_folder_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(SERVICE.replace("web", "b"))
    (tmp_path / "a.yaml").write_text("\ufeff" + SERVICE.replace("web", "a"))
    (tmp_path / "notes.txt").write_text("{")
    assert [*map(str, rendered(Tool.NONE, tmp_path).documents)] == ["Service a", "Service b"]
    assert [*map(str, rendered(Tool.NONE, tmp_path / "b.yml").documents)] == ["Service b"]


def test_a_kustomization_is_rendered_by_kubectl(fake: Fake) -> None:
    log = fake(SERVICE)
    assert [*map(str, rendered(Tool.KUSTOMIZE, "overlays/prod").documents)] == ["Service web"]
    assert log.read_text().splitlines() == ["kubectl", "kustomize", "--", "overlays/prod"]


def test_a_chart_is_rendered_as_the_application_in_its_namespace_with_the_values_in_their_order(fake: Fake) -> None:
    log = fake(SERVICE)
    assert [*map(str, rendered(Tool.HELM, "chart", Path("a.yaml"), Path("b.yaml")).documents)] == ["Service web"]
    arguments = ["template", "--namespace", "prod", "--values", "a.yaml", "--values", "b.yaml", "--", "shop", "chart"]
    assert log.read_text().splitlines() == ["helm", *arguments]


@pytest.mark.parametrize("tool", [Tool.KUSTOMIZE, Tool.HELM])
def test_a_tool_that_is_missing_is_named_with_the_way_without_it(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(tool, "x")
    assert error.status is Exit.ERROR
    assert "on PATH, so --" in str(error)
    assert "give the file with --manifest" in str(error)


@pytest.mark.parametrize("tool", [Tool.KUSTOMIZE, Tool.HELM])
def test_the_words_of_a_tool_that_fails_are_shown_and_nothing_that_it_printed(tool: Tool, fake: Fake) -> None:
    fake("password: s3cret\n", status=1, error="Error: values.yaml:3: no such key\n")
    error = refusal(tool, "x")
    assert error.status is Exit.CONFIG
    assert "values.yaml:3: no such key" in str(error)
    assert "s3cret" not in str(error)


def test_the_tests_of_a_chart_are_left_out(fake: Fake) -> None:
    fake(SERVICE + HOOK.format("test"))
    found = rendered(Tool.HELM, "chart")
    assert [*map(str, found.documents)] == ["Service web"]
    assert found.left_out == ("Job test",)


@pytest.mark.parametrize("hook", ["pre-upgrade", "test,post-install"])
def test_any_other_hook_stays_for_the_rules_to_refuse(hook: str, fake: Fake) -> None:
    fake(SERVICE + HOOK.format("migration").replace("hook: migration", f"hook: {hook}"))
    found = rendered(Tool.HELM, "chart")
    assert [*map(str, found.documents)] == ["Service web", "Job migration"]
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("kustomization.yaml", "resources: []", "--kustomize"),
        ("Chart.yaml", "name: web", "--helm"),
        ("web.yaml", "{{ if }}", "web.yaml:1"),
        ("web.yaml", "", "it has no object"),
        ("web.yaml", "a: b", "web.yaml:1: apiVersion"),
        ("notes.txt", "", "it has no object"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_way_out(name: str, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    error = refusal(Tool.NONE, tmp_path)
    assert error.status is Exit.CONFIG
    assert words in str(error)
    assert "nothing was changed" in str(error)


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    assert "there is no such file or folder" in str(refusal(Tool.NONE, tmp_path / "absent"))
    (tmp_path / "web.yaml").write_bytes(b"\xff\xfe")
    assert "web.yaml cannot be read: it is not text in UTF-8" in str(refusal(Tool.NONE, tmp_path))

"""The settings of a command: what its config file holds, as the engine would hand it over, or a refusal in words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.cli import config_edit
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.selection import Selection
from bluegreen.release import stack_file

File = Callable[[str], Selection]
SECRET = "{secure: v1:abc=}"


@pytest.fixture
def file(tmp_path: Path) -> File:
    """Makes the environment of a config file with these lines in its section config:."""

    def make(lines: str) -> Selection:
        path = tmp_path / "Pulumi.prod.yaml"
        path.write_text(f"config:\n  bluegreen:activeColor: blue\n  blue:imageTag: '1.0'\n{lines}")
        return Selection(stack="prod", config_file=path)

    return make


@pytest.mark.parametrize("key", ["bluegreen:context", "bluegreen:namespace", "bluegreen:app", "blue:port"])
def test_a_secret_is_refused_and_the_default_is_not_taken_in_its_place(file: File, key: str) -> None:
    with pytest.raises(ReleaseError, match=rf"{key}: \[secret\]") as refusal:
        file(f"  {key}: {SECRET}\n").settings()
    assert refusal.value.status is Exit.CONFIG


def test_a_secret_inside_an_object_is_refused(file: File) -> None:
    with pytest.raises(ReleaseError, match="blue:env"):
        file(f"  blue:env: {{A: b, TOKEN: {SECRET}}}\n").settings()


@pytest.mark.parametrize("value", [SECRET, f"{{TOKEN: {SECRET}}}"])
def test_secret_variables_need_not_be_read(file: File, value: str) -> None:
    assert file(f"  blue:secretEnv: {value}\n").settings().active_color == "blue"


def test_values_are_what_the_engine_hands_over(file: File) -> None:
    lines = "  bluegreen:replicas: 2\n  bluegreen:protect: true\n  blue:env: {PORT: 5432, HOST: db}\n  blue:migrate: [up, 3]\n"
    settings = file(lines).settings()
    blue = settings.service.colors["blue"]
    assert (blue.replicas, settings.protect, blue.env, blue.migrate) == (2, True, {"PORT": "5432", "HOST": "db"}, ("up", "3"))


def test_a_plain_value_that_yaml_changes_is_refused(file: File) -> None:
    with pytest.raises(ReleaseError, match=r"blue:env\.UMASK: 0022"):
        file("  blue:env: {UMASK: 0022}\n").settings()


def test_where_an_environment_is_does_not_depend_on_the_rest_of_its_config(file: File) -> None:
    place = file(f"  bluegreen:namespace: prod\n  blue:env: {{UMASK: 0022, A: {SECRET}}}\n  bluegreen:expect: ' '\n").place()
    assert (place.namespace, place.service.name, set(place.service.colors)) == ("prod", "myapp", {"blue"})


def test_the_config_is_read_once_until_something_has_written_it(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []
    of_command = stack_file.of_command

    def counted(path: Path, project_file: Path) -> stack_file.Contents:
        reads.append(path)
        return of_command(path, project_file)

    monkeypatch.setattr(stack_file, "of_command", counted)
    selection = file("  bluegreen:namespace: first\n")
    assert [selection.settings().namespace, selection.place().namespace, selection.settings().namespace] == ["first"] * 3
    assert len(reads) == 1
    config_edit.change(selection.config_file, {"bluegreen:namespace": "other"})
    assert [selection.settings().namespace, selection.place().namespace] == ["other"] * 2
    assert len(reads) == 2


def test_a_manifest_that_changes_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bluegreen.cli.project.ROOT", tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: bluegreen\n")
    config, manifest = tmp_path / "Pulumi.prod.yaml", tmp_path / "blue.yaml"
    config.write_text("config: {'bluegreen:activeColor': blue, 'blue:manifest': blue.yaml}\n")
    selection = Selection(stack="prod", config_file=config)
    for name in ("web", "shop"):
        manifest.write_text(f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n")
        snapshot = selection.place().service.colors["blue"].snapshot
        assert snapshot
        assert [document.name for document in snapshot.documents] == [name]

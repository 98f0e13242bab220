"""Tags that YAML reads as numbers: found where the file and the engine differ, and only there."""

from pathlib import Path

import pytest

from release.config_file import misread_numbers

# (what the file holds, what the engine makes of it), as Pulumi 3.259 was seen to hand it over.
CHANGED = [
    ("1.10", "1.1"),
    ("1.0", "1"),
    ("0x10", "16"),
    ("0o17", "15"),
    ("007", "7"),
    ("1_000", "1000"),
    ("1e3", "1000"),
    ("12e45", "1.2e+46"),  # the short hash of a commit may look like this
]
UNCHANGED = [("1.1", "1.1"), ("20261121", "20261121"), ('"1.10"', "1.10"), ("'1.0'", "1.0"), ("v1.10", "v1.10")]


def config_file(directory: Path, tag: str, name: str = "Pulumi.prod.yaml") -> None:
    (directory / name).write_text(f"config:\n  bluegreen:activeColor: blue\n  green:imageTag: {tag}\n")


@pytest.mark.parametrize(("written", "seen"), CHANGED)
def test_a_tag_that_is_changed_on_the_way_is_found(tmp_path: Path, written: str, seen: str) -> None:
    config_file(tmp_path, written)
    assert misread_numbers({"green:imageTag": seen}, tmp_path) == {"green:imageTag": ("Pulumi.prod.yaml", written)}


@pytest.mark.parametrize(("written", "seen"), UNCHANGED)
def test_a_tag_that_arrives_as_written_is_fine(tmp_path: Path, written: str, seen: str) -> None:
    config_file(tmp_path, written)
    assert misread_numbers({"green:imageTag": seen}, tmp_path) == {}


def test_other_files_with_other_tags_do_not_matter(tmp_path: Path) -> None:
    config_file(tmp_path, '"1.1"', "Pulumi.prod.yaml")
    config_file(tmp_path, "3.10", "Pulumi.stage.yaml")
    assert misread_numbers({"green:imageTag": "1.1"}, tmp_path) == {}


@pytest.mark.parametrize("content", [b"config: [", b"\xff\xfe", b"- a list\n", b"", b"config: text\n"])
def test_a_file_that_cannot_be_read_is_left_to_the_engine(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_bytes(content)
    assert misread_numbers({"green:imageTag": "1.1"}, tmp_path) == {}

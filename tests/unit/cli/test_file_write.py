"""A file is written in one step, and that can be taken back."""

from pathlib import Path

import pytest

from bluegreen.cli.file_write import write
from bluegreen.release.stack_file import ConfigFileError


def test_a_new_file_gets_its_folder_and_is_removed_when_it_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "manifests" / "prod" / "green.yaml"
    written = write(file, "new\n")
    assert file.read_text() == "new\n"
    written.take_back()
    assert not file.exists()


def test_a_file_that_was_there_is_restored(tmp_path: Path) -> None:
    file = tmp_path / "green.yaml"
    file.write_bytes(b"old \xff\r\n")
    file.chmod(0o640)
    written = write(file, "new\n")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new\n", 0o640)
    written.take_back()
    assert file.read_bytes() == b"old \xff\r\n"


@pytest.mark.parametrize("before", [None, "old\n"])
def test_what_somebody_else_has_written_meanwhile_stays(tmp_path: Path, before: str | None) -> None:
    file = tmp_path / "green.yaml"
    if before:
        file.write_text(before)
    written = write(file, "new\n")
    file.write_text("newer\n")
    written.take_back()
    assert file.read_text() == "newer\n"


def test_a_file_that_has_the_text_already_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "green.yaml"
    file.write_text("same\n")
    inode = file.stat().st_ino
    write(file, "same\n").take_back()
    assert (file.stat().st_ino, file.read_text()) == (inode, "same\n")


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifests").write_text("a file in the place of the folder")
    with pytest.raises(ConfigFileError, match=r"Could not write .*green.yaml: .*\. Nothing was changed"):
        write(tmp_path / "manifests" / "green.yaml", "new\n")


def test_a_link_keeps_leading_to_the_file_that_is_written(tmp_path: Path) -> None:
    (tmp_path / "target.yaml").write_text("old\n")
    link = tmp_path / "green.yaml"
    link.symlink_to("target.yaml")
    write(link, "new\n")
    assert link.is_symlink()
    assert (tmp_path / "target.yaml").read_text() == "new\n"

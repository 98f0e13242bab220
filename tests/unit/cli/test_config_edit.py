"""A config file is changed value by value; the rest of its text stays as people wrote it."""

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bluegreen.cli.config_edit import ConfigFileError, change, edited, read

TEXT = """\
# Production. Ask before you change it.
config:
  bluegreen:activeColor: blue   # users
  bluegreen:testColor: green
  blue:imageTag: "1.0"
  bluegreen:env:
    NODE_ENV: production
    # the port of the database
    DB_PORT: "5432"

# Written by the CLI.
encryptionsalt: v1:abc=
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Pulumi.prod.yaml"
    path.write_text(TEXT)
    return path


def test_a_value_is_replaced_and_every_other_character_stays(file: Path) -> None:
    change(file, {"bluegreen:activeColor": "green"})
    assert file.read_text() == TEXT.replace("activeColor: blue   # users", "activeColor: green   # users")


def test_a_new_key_goes_behind_the_last_one_of_the_config(file: Path) -> None:
    change(file, {"green:imageTag": "2.0"})
    assert file.read_text() == TEXT.replace('    DB_PORT: "5432"\n', '    DB_PORT: "5432"\n  green:imageTag: "2.0"\n')


def test_removing_a_key_removes_its_line(file: Path) -> None:
    change(file, {"bluegreen:testColor": None})
    assert file.read_text() == TEXT.replace("  bluegreen:testColor: green\n", "")


def test_a_change_that_is_taken_back_leaves_no_trace(file: Path) -> None:
    made = change(file, {"bluegreen:activeColor": "green", "bluegreen:testColor": None, "green:imageTag": "2.0"})
    made.take_back()
    assert file.read_text() == TEXT


def test_taking_a_change_back_keeps_what_others_have_changed_meanwhile(file: Path) -> None:
    made = change(file, {"bluegreen:activeColor": "green", "green:imageTag": "2.0"})
    change(file, {"blue:imageTag": "1.1"})
    made.take_back()
    assert read(file) == {**yaml.safe_load(TEXT)["config"], "blue:imageTag": "1.1"}


def test_removing_what_is_not_there_changes_nothing(file: Path) -> None:
    change(file, {"green:imageTag": None})
    assert file.read_text() == TEXT


@pytest.mark.parametrize("tag", ["1.10", "0x10", "1e3", "2026", "true", "on", "sha256:" + "0" * 64, "v1", "a-b", "null"])
def test_a_tag_stays_the_text_that_it_is(file: Path, tag: str) -> None:
    change(file, {"green:imageTag": tag})
    assert read(file)["green:imageTag"] == tag


@pytest.mark.parametrize("text", ["", "config: {}\n", "config:\n", "encryptionsalt: v1:abc=\n"])
def test_a_file_without_values_gets_its_first(file: Path, text: str) -> None:
    file.write_text(text)
    change(file, {"bluegreen:activeColor": "blue"})
    assert read(file) == {"bluegreen:activeColor": "blue"}
    assert "encryptionsalt" not in text or "encryptionsalt: v1:abc=" in file.read_text()


def test_a_file_on_one_line_is_left_alone_when_it_cannot_be_changed_safely(file: Path) -> None:
    text = "config: {'bluegreen:activeColor': blue, 'bluegreen:testColor': green}\n"
    file.write_text(text)
    with pytest.raises(ConfigFileError, match="left alone"):
        change(file, {"bluegreen:testColor": None})
    assert file.read_text() == text


def test_an_object_is_never_replaced_by_a_text(file: Path) -> None:
    with pytest.raises(ConfigFileError, match="not a plain value"):
        change(file, {"bluegreen:env": "x"})


def test_a_file_that_is_missing_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"Could not read .*Pulumi\.gone\.yaml.*--config-file"):
        read(tmp_path / "Pulumi.gone.yaml")


def test_a_file_keeps_its_rights_and_a_link_stays_a_link(file: Path, tmp_path: Path) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(file)
    change(link, {"bluegreen:activeColor": "green"})
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert read(file)["bluegreen:activeColor"] == "green"


KEYS = st.sampled_from(["bluegreen:activeColor", "bluegreen:testColor", "green:imageTag", "blue:imageTag", "blue:release"])
VALUES = st.one_of(st.none(), st.text("aBz019._:/@+-", min_size=1, max_size=8))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(KEYS, VALUES), max_size=5))
def test_any_row_of_changes_gives_what_a_mapping_would(changes: list[dict[str, str | None]]) -> None:
    text, wanted = TEXT, yaml.safe_load(TEXT)["config"]
    for each in changes:
        text = edited(text, each)
        wanted = {key: value for key, value in {**wanted, **each}.items() if value is not None}
    assert yaml.safe_load(text) == {"config": wanted, "encryptionsalt": "v1:abc="}
    assert "# Production. Ask before you change it.\n" in text


FRAGMENTS = st.one_of(
    st.sampled_from(
        ["config:\n", "  blue:imageTag: ", "  bluegreen:activeColor: ", "blue", "'1.0'", "{", "}", "[", "]", "&a ", "*a", "\n"]
    ),
    st.sampled_from(
        ["  ", "# text\n", "|\n", ">\n", "? ", "- ", "...\n", "---\n", "\r\n", "\ufeff", "'", '"', ", ", "config: {", "null"]
    ),
    st.text(max_size=4),
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAGMENTS, max_size=12).map("".join), st.dictionaries(KEYS, VALUES, max_size=3))
def test_any_file_gets_exactly_the_change_or_is_left_alone_in_words(
    tmp_path: Path, text: str, changes: dict[str, str | None]
) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_bytes(text.encode(errors="replace"))
    before = file.read_bytes()
    try:
        had = read(file)
        made = change(file, changes)
    except ConfigFileError as refusal:
        assert "Pulumi.prod.yaml" in str(refusal)  # noqa: PT017 - some files can be changed, and the others are left alone
        assert file.read_bytes() == before
        return
    assert read(file) == {key: value for key, value in {**had, **changes}.items() if value is not None}
    made.take_back()
    assert read(file) == had


ENCRYPTED = {"db": {"password": {"secure": "v1:abc="}, "tls.key": {"secure": "v1:def="}}, "on": {"y": {"secure": "v1:ghi="}}}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "  green:secretData:\n    db:\n      password:\n        secure: v1:old=\n",
        '  green:secretData: {db: {password: {secure: "v1:old="}}}  # values\n',
        '  green:secretData: {db: {password: {secure: "v1:old="}}}  # values\n  blue:release: "1"\n',
        "  green:secretData:\n    secure: v1:old=\n",
    ],
    ids=["no value", "nested lines", "braces", "braces, not last", "encrypted as a whole"],
)
def test_an_object_is_written_in_the_place_of_what_was_there_and_the_rest_stays(file: Path, before: str) -> None:
    file.write_text(TEXT.replace('"5432"\n', f'"5432"\n{before}'))
    text = file.read_text()
    made = change(file, {"green:secretData": ENCRYPTED, "green:imageTag": "2.0"})
    written = (
        "  green:secretData:\n    db:\n      password:\n        secure: v1:abc=\n      tls.key:\n        secure: v1:def=\n"
        "    'on':\n      y:\n        secure: v1:ghi=\n"
    )
    assert written in file.read_text()
    assert read(file) == {**yaml.safe_load(text)["config"], "green:secretData": ENCRYPTED, "green:imageTag": "2.0"}
    assert file.read_text().endswith(TEXT.partition('"5432"\n')[2])
    change(file, {"green:release": "later"})
    made.take_back()
    change(file, {"green:release": None})
    assert read(file) == yaml.safe_load(text)["config"]


def test_an_object_is_removed_with_all_of_its_lines(file: Path) -> None:
    change(file, {"green:secretData": ENCRYPTED})
    change(file, {"green:secretData": None})
    assert file.read_text() == TEXT


def test_a_text_does_not_replace_an_object_that_a_person_has_written(file: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"bluegreen:env in .* is not a plain value"):
        change(file, {"bluegreen:env": "{}"})
    assert file.read_text() == TEXT

"""Plain values that YAML changes: found in the files that count, whichever reader changes them; and nothing else is."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from bluegreen.release.stack_file import ConfigFileError, Contents, of_command, of_program, of_project, of_stack
from tests.unit.program import ROOT

# What the file says -> what the engine makes of it, as Pulumi 3.274.1 was seen to hand it over, or PyYAML alone.
CHANGED = {
    "0022": "the number 18",
    "0o22": "the number 18",
    "007": "the number 7",
    "08": "the number 8",
    "00": "the number 0",
    "0x10": "the number 16",
    "-0x10": "the number -16",
    "0b11": "the number 3",
    "1_000": "the number 1000",
    "0_1": "the number 1",
    "12:30:45": "the number 45045",
    "22:22": "the number 1342",
    "1e3": "the number 1000",
    "12e45": "the number 1.2e+46",  # the short hash of a commit may look like this
    "1.10": "the number 1.1",
    "1.0": "the number 1",
    ".5": "the number 0.5",
    "5.": "the number 5",
    "+5": "the number 5",
    "-0": "the number 0",
    "0.00001": "the number 0.00001",
    "12345678901234567890": "the number 12345678901234567000",
    "123456789012345678901234": "the number 1.2345678901234569e+23",
    "2026-11-27": "a date",
    "2026-1-2": "a date",
    "2026-13-45": "a date",
    "2026-11-27T10:00:00Z": "a date",
    "on": "the boolean true",
    "Off": "the boolean false",
    "yes": "the boolean true",
    "NO": "the boolean false",
    "True": "the boolean true",
    "null": "no value",
    "~": "no value",
    "": "no value",
    ".inf": "a number",
    ".nan": "a number",
    "=": "no text",
    "!!float 1": "the number 1",
    "!!binary aGVsbG8=": "a value of the type binary",
    "!version 5": "the number 5",
}
UNCHANGED: dict[str, object] = {
    "3000": 3000,
    "0": 0,
    "-5": -5,
    "1234567890123456789": 1234567890123456789,
    "true": True,
    "false": False,
    "0.5": 0.5,
    "1.1": 1.1,
    "20261121": 20261121,
    '"0022"': "0022",
    "'1.0'": "1.0",
    "!!str 0022": "0022",
    "v1.10": "v1.10",
    "1.2.3": "1.2.3",
    "10.213.0.1": "10.213.0.1",
    "8080:80": "8080:80",
    "64Mi": "64Mi",
    "100m": "100m",
    "1,000": "1,000",
    "2026-11-27-rc1": "2026-11-27-rc1",
    "y": "y",
    "production": "production",
    "postgres://db.example:5432/shop": "postgres://db.example:5432/shop",
}
SHAPES = {
    "a value": ("green:imageTag: {}", ""),
    "a variable": ("green:env:\n    UMASK: {}", ".UMASK"),
    "a part of a list": ("green:migrate:\n    - migrate\n    - {}", "[1]"),
    "an amount": ("green:resources:\n    limits:\n      cpu: {}", ".limits.cpu"),
    "a value by an alias": ("blue:release: &any {}\n  green:imageTag: *any", ""),
    "a merged variable": ("blue:env: &shared\n    A: {}\n  green:env:\n    <<: *shared", ".A"),
}


def stack(text: str) -> Contents:
    return of_stack(f"config:\n  bluegreen:activeColor: blue\n  {text}\n", "Pulumi.prod.yaml")


@pytest.mark.parametrize(("text", "path"), SHAPES.values(), ids=SHAPES)
def test_a_plain_value_that_a_reader_of_yaml_changes_is_found_wherever_it_stands(text: str, path: str) -> None:
    for written, read in CHANGED.items():
        [found] = [each for each in stack(text.format(written)).misread if each.key.startswith("green:")]
        shown = (found.path, found.file, found.written, found.read)
        assert shown == (path, "Pulumi.prod.yaml", written.rpartition(" ")[2], read)


@pytest.mark.parametrize(("text", "path"), SHAPES.values(), ids=SHAPES)
def test_a_value_that_arrives_as_it_is_written_is_fine(text: str, path: str) -> None:
    for written, value in UNCHANGED.items():
        found = stack(text.format(written))
        assert found.misread == (), path
        assert value in leaves(found.values)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for each in inner for leaf in leaves(each)]
    return [value]


@pytest.mark.parametrize("name", ["NO", "on", "0x10", "5", "null", "2026-11-27", "true"])
def test_a_name_that_a_reader_of_yaml_changes_is_found(name: str) -> None:
    [found] = stack(f"green:env: {{{name}: any}}").misread
    assert (found.path, found.is_name) == (f".{name}", True)
    assert stack(f'green:env: {{"{name}": any}}').misread == ()


@given(st.one_of(st.text("0123456789+-._:eExXobTZ ~", min_size=1, max_size=12), st.text(min_size=1, max_size=12)))
def test_whatever_is_written_plain_arrives_as_it_is_or_is_refused(written: str) -> None:
    text = f"config:\n  green:env:\n    A: {written}\n"
    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        [(_, section)] = root.value
        [(_, variables)] = section.value
        [(_, node)] = variables.value
    except (yaml.YAMLError, ValueError, AttributeError):
        assume(False)
    assume(isinstance(node, yaml.ScalarNode) and node.style is None)
    found = of_stack(text, "Pulumi.prod.yaml")
    seen = found.values["green:env"]["A"]
    assert found.misread or (seen if isinstance(seen, str) else json.dumps(seen)) == node.value
    assert found.misread or isinstance(seen, type(yaml.safe_load(text)["config"]["green:env"]["A"]))


@pytest.mark.parametrize(
    "text",
    [
        "config: [",
        "- a list",
        "config: text",
        "config: [a, list]",
        "config: {a: &a {b: *a}}",
        "config:\n  green:imageTag: a\n  green:imageTag: b",
        "config:\n  green:env: {A: a, A: b}",
        "config:\n  green:env: {[a]: b}",
        "config: {? [a] : b}",
        "config: {a: " + "[" * 2000 + "]" * 2000 + "}",
        "config:\n  a: &a [1,1,1,1,1,1,1,1]\n"
        + "".join(f"  {b}: &{b} [{','.join(8 * [f'*{a}'])}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigFileError, match=r"Pulumi\.prod\.yaml"):
        of_stack(text, "Pulumi.prod.yaml")


@given(st.one_of(st.text(), st.text("abc:{}[],&*!|>-?'\"\n #<~01.\\ud8", max_size=60).map(lambda text: f"config:\n  {text}")))
def test_any_text_is_a_config_or_refused_in_words(text: str) -> None:
    for parse in (of_stack, of_project):
        try:
            assert json.dumps(dict(parse(text, "Pulumi.prod.yaml").values), ensure_ascii=False).encode()
        except ConfigFileError as refusal:
            assert "Pulumi.prod.yaml" in str(refusal)  # noqa: PT017 - most texts are fine, and those that are not say so


def test_half_of_a_surrogate_pair_reaches_nothing_that_would_have_to_write_it() -> None:
    found = stack('"green:\\ud800": a\n  green:env: {"\\ud800": "\\udfff", "B\\ud800": 0022}')
    assert json.dumps(dict(found.values), ensure_ascii=False).encode()
    assert [f"{each.key}{each.path}".encode() for each in found.misread] == [b"green:env.B?"]


def test_a_key_that_holds_a_secret_is_named_wherever_the_secret_stands() -> None:
    found = stack("green:env: {A: {secure: v1:abc=}}\n  green:migrate: [a, {secure: v1:abc=}]\n  blue:port: {secure: v1:abc=}")
    assert found.secrets == {"green:env", "green:migrate", "blue:port"}


def test_the_old_form_of_a_key_is_the_same_key() -> None:
    assert stack("bluegreen:config:app: shop").values["bluegreen:app"] == "shop"


PROJECT = """
name: bluegreen
config:
  app: {type: string, default: 0022}
  bluegreen:host: {value: 1.10}
  blue:release: on
  bluegreen:url: {type: string, description: 0022}
  bluegreen:context: {value: {secure: "v1:abc="}}
  green:env: {default: {A: 1e3}}
"""


def test_values_of_the_project_are_looked_at_as_well() -> None:
    found = of_project(PROJECT, "Pulumi.yaml")
    assert {f"{each.key}{each.path}": each.written for each in found.misread} == {
        "bluegreen:app": "0022",
        "bluegreen:host": "1.10",
        "blue:release": "on",
        "green:env.A": "1e3",
    }
    assert found.secrets == {"bluegreen:context"}
    assert "bluegreen:url" not in found.values


def test_a_value_of_the_project_that_the_stack_hides_does_not_matter() -> None:
    both = stack("bluegreen:app: shop").over(of_project(PROJECT, "Pulumi.yaml"))
    assert both.values["bluegreen:app"] == "shop"
    assert "bluegreen:app" not in {each.key for each in both.misread}


def config_file(directory: Path, tag: str, name: str = "Pulumi.prod.yaml") -> Path:
    (directory / name).write_text(f"config:\n  bluegreen:activeColor: blue\n  green:imageTag: {tag}\n")
    return directory / name


def test_the_program_looks_at_the_file_of_its_own_stack_alone(tmp_path: Path) -> None:
    config_file(tmp_path, "1.10")
    config_file(tmp_path, "0022", "Pulumi.stage.yaml")
    assert [each.written for each in of_program("prod", tmp_path).misread] == ["1.10"]
    assert of_program("new", tmp_path).misread == ()


@pytest.mark.parametrize("option", [["--config-file", "other.yaml"], ["--config-file=other.yaml"]])
@pytest.mark.parametrize(("command", "written"), [("pulumi", ["0022"]), ("another-tool", ["1.10"])])
def test_the_program_looks_at_the_file_that_its_command_names(
    tmp_path: Path, option: list[str], command: str, written: list[str]
) -> None:
    config_file(tmp_path, "1.10")
    config_file(tmp_path / "..", "0022", "other.yaml")
    program = (
        "import pathlib; from bluegreen.release.stack_file import of_program; "
        f"print([each.written for each in of_program('prod', pathlib.Path({str(tmp_path)!r})).misread])"
    )
    engine = f"import subprocess; subprocess.run([{sys.executable!r}, '-c', {program!r}], env={{'PYTHONPATH': {str(ROOT)!r}}})"
    ran = subprocess.run(
        [command, "-c", engine, *option],
        executable=sys.executable,
        cwd=tmp_path / "..",
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == str(written), ran.stderr


def test_the_command_looks_at_its_file_and_at_that_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    found = of_command(config_file(tmp_path, "1.10"), tmp_path / "Pulumi.yaml")
    assert [each.written for each in found.misread] == ["1.10", "0022", "1.10", "on", "1e3"]


@pytest.mark.parametrize("content", [b"config: [", b"\xff\xfe", b"- a list\n", b"", b"config: text\n"])
def test_a_file_that_the_program_cannot_read_is_left_to_the_engine(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_bytes(content)
    assert of_program("prod", tmp_path) == Contents(values={})


def test_the_files_of_this_project_hold_nothing_that_yaml_changes() -> None:
    files = [*ROOT.glob("Pulumi.*.yaml"), *ROOT.glob("examples/*/Pulumi.*.yaml")]
    assert len(files) >= 3
    found = [of_stack(file.read_text(), file.name) for file in files] + [of_project((ROOT / "Pulumi.yaml").read_text(), "")]
    assert [each for contents in found for each in contents.misread] == []

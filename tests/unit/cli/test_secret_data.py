"""The CLI encrypts values of Secrets, which it gets on its standard input, and an unchanged one keeps its ciphertext."""

import json
import sys
from pathlib import Path

import pytest

from bluegreen.cli import config_edit
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.secret_data import SecretStore
from bluegreen.release.snapshot_file import Moved, SecretData

# Encrypts by reversing the text, and writes down how it was started.
CLI = """#!{python}
import json, re, sys, yaml
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(arguments) + "\\n")
if {fails}:
    sys.exit("error: incorrect passphrase")
file = arguments[arguments.index("--config-file") + 1]
content = yaml.safe_load(open(file)) or {{}}
def read(value):
    if isinstance(value, dict):
        return value["secure"][::-1] if "secure" in value else {{key: read(part) for key, part in value.items()}}
    return value
if "set" in arguments:
    assert {{"--raw", "--secret", "--path"}} <= set(arguments)
    key, name, part = re.fullmatch(r'(.*)\\["(.*)"\\]\\["(.*)"\\]', arguments[arguments.index("--raw") + 1]).groups()
    content.setdefault("encryptionsalt", "new")
    config = content.setdefault("config", {{}})
    config.setdefault(key, {{}}).setdefault(name, {{}})[part] = {{"secure": sys.stdin.read()[::-1]}}
    yaml.safe_dump(content, open(file, "w"))
else:
    print(json.dumps({{key: {{"objectValue": read(value)}} for key, value in content["config"].items()}}))
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install(tmp_path, monkeypatch, fails=False)


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    script, log = folder / "pulumi", folder / "log"
    script.write_text(CLI.format(python=sys.executable, log=str(log), fails=fails))
    script.chmod(0o755)
    log.touch()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return log


def store(tmp_path: Path, text: str = "encryptionsalt: v1\nconfig:\n  bluegreen:activeColor: blue\n") -> SecretStore:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    return SecretStore(stack="prod", file=file)


def moved(values: SecretData, *kept: tuple[str, str]) -> Moved:
    return Moved(objects=[], values=values, kept=kept)


def encrypted(values: SecretData) -> dict[str, dict[str, dict[str, str]]]:
    return {name: {key: {"secure": value[::-1]} for key, value in found.items()} for name, found in values.items()}


VALUES = {"db": {"password": "s3cret\n", "tls.key": "k3y"}, "a.b": {"empty": ""}}


def test_each_value_is_encrypted_and_no_argument_has_it(tmp_path: Path, log: Path) -> None:
    secrets = store(tmp_path)
    before = secrets.file.read_text()
    assert secrets.secret_data("green", moved(VALUES)) == encrypted(VALUES)
    assert secrets.file.read_text() == before
    assert "green:secretData" in log.read_text()
    assert not any(value in log.read_text() for value in ("s3cret", "k3y"))


def test_a_value_that_has_not_changed_keeps_its_ciphertext(tmp_path: Path, log: Path) -> None:
    secrets = store(tmp_path)
    config_edit.change(secrets.file, {"green:secretData": encrypted(VALUES)})
    assert secrets.secret_data("green", moved(VALUES)) == encrypted(VALUES)
    assert len(log.read_text().splitlines()) == 1, "no more than one look at what is there"
    changed = VALUES | {"db": {"password": "n3w", "tls.key": "k3y"}}
    assert secrets.secret_data("green", moved(changed)) == encrypted(changed)
    assert log.read_text().count("config set") == 1


@pytest.mark.parametrize("holder", ["green", "blue"])
def test_a_value_that_was_moved_before_is_taken_from_the_config(tmp_path: Path, log: Path, holder: str) -> None:
    secrets = store(tmp_path)
    config_edit.change(secrets.file, {f"{holder}:secretData": encrypted(VALUES)})
    found = secrets.secret_data("green", moved({}, ("db", "password"), ("db", "unknown")))
    assert found == encrypted({"db": {"password": "s3cret\n"}})
    assert log.read_text().count("config set") == (holder == "blue")


def test_a_snapshot_without_secrets_needs_no_cli(tmp_path: Path, log: Path) -> None:
    assert store(tmp_path).secret_data("green", moved({})) is None
    assert log.read_text() == ""


@pytest.mark.usefixtures("log")
def test_keys_whose_values_differ_between_the_colors_are_named_without_the_values(tmp_path: Path) -> None:
    secrets = store(tmp_path)
    green = {"db": {"password": "n3w", "tls.key": "k3y"}, "only": {"green": "x"}}
    config_edit.change(secrets.file, {"blue:secretData": encrypted(VALUES), "green:secretData": encrypted(green)})
    assert secrets.differing() == ["Secret db: password"]


@pytest.mark.usefixtures("log")
def test_the_key_that_the_cli_has_made_for_a_stack_without_one_is_kept(tmp_path: Path) -> None:
    secrets = store(tmp_path, "config:\n  bluegreen:activeColor: blue\n")
    secrets.secret_data("green", moved(VALUES))
    assert secrets.file.read_text() == "config:\n  bluegreen:activeColor: blue\nencryptionsalt: new\n"


def test_a_cli_that_cannot_encrypt_is_an_error_without_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, fails=True)
    with pytest.raises(ReleaseError, match="incorrect passphrase") as refused:
        store(tmp_path).secret_data("green", moved(VALUES))
    assert refused.value.status in (Exit.ERROR, Exit.AUTHENTICATION)
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in json.dumps(refused.value.args)

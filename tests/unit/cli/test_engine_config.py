"""The command uses the config that the engine uses, or refuses; it never goes on with defaults."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bluegreen.cli import engine_config, project
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.selection import Selection, find
from bluegreen.cli.session import opened

# As `pulumi config --json --open` prints it: the values of the file, of the environment and of Pulumi.yaml.
RESOLVED = {
    "bluegreen:activeColor": {"value": "blue", "secret": False},
    "bluegreen:image": {"value": "shop", "secret": False},
    "bluegreen:namespace": {"value": "prod", "secret": False},
    "bluegreen:context": {"value": "prod-cluster", "secret": False},
    "bluegreen:allow": {"value": '["adopt"]', "objectValue": ["adopt"], "secret": False},
    "blue:imageTag": {"value": "1.0", "secret": False},
    "blue:secretEnv": {"secret": True},
}
FILE = "config:\n  bluegreen:activeColor: blue\n  blue:imageTag: '1.0'\n"
ENVIRONMENTS = [
    "environment:\n  - shop/prod\n",
    "environment: [shop/prod]\n",
    "environment:\n  imports: [shop/prod]\n  values:\n    pulumiConfig: {bluegreen:namespace: prod}\n",
    "environment: {}\n",
]

Fake = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    engine_config.ask.cache_clear()
    for name in ("PULUMI_STACK", *(name for name in engine_config._OVERRIDES)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", "/kubeconfig")


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a `pulumi` on PATH that prints and ends as told, and returns the file with the command lines it got."""

    def make(printed: str = json.dumps(RESOLVED), *, table: str = "", status: int = 0, error: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / "json").write_text(printed)
        (folder / "table").write_text(table)
        (folder / "error").write_text(error)
        script = folder / "pulumi"
        script.write_text(
            f'#!/bin/sh\ncd "{folder}"\necho "$*" >>log\ncat error >&2\n'
            f'case "$*" in *--json=true*) cat json;; *) cat table;; esac\nexit {status}\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        return folder / "log"

    return make


def stack(tmp_path: Path, text: str) -> Selection:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    return Selection(stack="acme/bluegreen/prod", config_file=file)


@pytest.mark.parametrize("section", ENVIRONMENTS, ids=["a list", "a flow list", "a definition", "an empty definition"])
def test_a_file_with_an_environment_is_resolved_by_the_cli(tmp_path: Path, fake: Fake, section: str) -> None:
    log = fake()
    own = stack(tmp_path, FILE + section)
    for _ in range(3):
        settings = own.settings()
    assert (settings.namespace, settings.context, settings.allow) == ("prod", "prod-cluster", ("adopt",))
    (line,) = log.read_text().splitlines()
    assert f"--stack acme/bluegreen/prod --config-file {own.config_file}" in line
    assert "--show-secrets=false" in line


@pytest.mark.parametrize("section", ["", "environment:\n", "environment: []\n", "# no environment: here\n"])
def test_a_file_without_an_environment_needs_no_cli(tmp_path: Path, fake: Fake, section: str) -> None:
    log = fake(status=1)
    text = FILE + "  bluegreen:namespace: from-the-file\n" + section
    assert stack(tmp_path, text).settings().namespace == "from-the-file"
    assert not log.exists()


@pytest.mark.parametrize(
    ("printed", "status", "error", "said"),
    [
        ("", 1, "error: backend file does not support environments", "backend file does not support environments"),
        ("", 255, "", "pulumi config ended with 255"),
        ("not JSON", 0, "", "printed no JSON object: not JSON"),
        ("[1]", 0, "", "printed no JSON object"),
        ('{"a": 1}', 0, "", "printed no JSON object"),
        ('{"bluegreen:namespace": {"value": "[unknown]"}}', 0, "", "leaves bluegreen:namespace unknown"),
    ],
    ids=["refused", "failed without a word", "no JSON", "a list", "other JSON", "a value that is not known"],
)
def test_an_environment_that_cannot_be_resolved_is_refused_in_words(
    tmp_path: Path, fake: Fake, printed: str, status: int, error: str, said: str
) -> None:
    fake(printed, status=status, error=error)
    with pytest.raises(ReleaseError, match="gets config from a Pulumi ESC environment") as refusal:
        stack(tmp_path, FILE + ENVIRONMENTS[0]).settings()
    assert refusal.value.status is Exit.CONFIG
    assert said in str(refusal.value)
    assert "Nothing was changed." in str(refusal.value)


@pytest.mark.parametrize("key", ["bluegreen:namespace", "bluegreen:context", "blue:env"])
def test_a_secret_of_an_environment_that_the_command_needs_is_refused(tmp_path: Path, fake: Fake, key: str) -> None:
    fake(json.dumps(RESOLVED | {key: {"secret": True}}))
    with pytest.raises(ReleaseError, match=key) as refusal:
        stack(tmp_path, FILE + ENVIRONMENTS[0]).settings()
    assert refusal.value.status is Exit.CONFIG


def test_without_the_cli_an_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="there is no pulumi on PATH"):
        stack(tmp_path, FILE + ENVIRONMENTS[0]).settings()


TABLE = "KEY  VALUE\nnamespace  prod\n\nENVIRONMENT VARIABLE  VALUE\nAWS_REGION  eu\nKUBECONFIG  [unknown]\n"


def test_an_environment_that_leads_pulumi_to_another_cluster_is_refused(
    tmp_path: Path, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(table=TABLE)
    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(ReleaseError, match="would use different clusters"):
        stack(tmp_path, FILE + ENVIRONMENTS[0]).settings()
    fake(table=TABLE.replace("KUBECONFIG", "OTHER"))
    assert stack(tmp_path, FILE + ENVIRONMENTS[0]).settings().namespace == "prod"


@pytest.mark.parametrize("name", engine_config._OVERRIDES)
def test_a_variable_that_gives_the_engine_other_config_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = stack(tmp_path, FILE + "  bluegreen:image: shop\n")
    own.settings()
    monkeypatch.setenv(name, "bluegreen:namespace=other")
    with pytest.raises(ReleaseError, match=f"unset {name}") as refusal:
        own.settings()
    assert refusal.value.status is Exit.CONFIG


def test_the_stack_and_its_file_are_those_that_the_cli_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_STACK", "acme/bluegreen/selected")
    assert find(None, None).stack == "acme/bluegreen/selected"
    monkeypatch.setenv("PULUMI_OPTION_STACK", "option")
    assert find(None, None).config_file == project.ROOT / "Pulumi.option.yaml"
    assert find("given", None).stack == "given"
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", "elsewhere/shop.yaml")
    assert find(None, None).config_file == Path("elsewhere/shop.yaml")
    assert find(None, Path("mine.yaml")).config_file == Path("mine.yaml")


@pytest.mark.parametrize("line", ["stackConfigDir: stacks", 'stackConfigDir: "stacks"  # where they are'])
def test_the_files_of_the_stacks_are_where_the_project_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: bluegreen\n{line}\n")
    monkeypatch.setattr(project, "ROOT", tmp_path)
    assert find("acme/bluegreen/prod", None).config_file == tmp_path / "stacks" / "Pulumi.prod.yaml"


@pytest.mark.parametrize("name", engine_config._PARTIAL)
def test_a_variable_that_makes_an_update_partial_is_refused_before_a_session_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    own = stack(tmp_path, FILE + "  bluegreen:image: shop\n")
    with opened(own, Progress(is_json=True), from_state=False, wait_seconds=0, timeout_seconds=1) as session:
        assert session.selection == own
    monkeypatch.setenv(name, "true")
    with (
        pytest.raises(ReleaseError, match=f"unset {name}") as refusal,
        opened(own, Progress(is_json=True), from_state=False, wait_seconds=0, timeout_seconds=1),
    ):
        pass
    assert refusal.value.status is Exit.CONFIG

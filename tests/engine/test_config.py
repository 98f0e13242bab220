"""Config that cannot be used is refused in words, before anything is touched. What depends on what is live: test_rules.py."""

import base64
import json
from collections.abc import Iterator

import pytest
import yaml

from bluegreen.release.stack_file import of_stack
from tests.cluster import SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import undisturbed
from tests.stack import ONE_COLOR, SandboxEnvironment, environment_of_its_own

SECRET = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def live(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """A live environment, whose config each test spoils in its own way."""
    config = ONE_COLOR | {"bluegreen:replicas": 1}
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("live"), config) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.fixture
def config(live: SandboxEnvironment) -> Iterator[None]:
    """Puts the config back afterwards."""
    text = live.config_file.read_text()
    yield
    live.config_file.write_text(text)


def add(environment: SandboxEnvironment, lines: str) -> None:
    """Writes `lines` into the section config: of the file as they are."""
    text = environment.config_file.read_text()
    environment.config_file.write_text(text.replace("config:\n", f"config:\n{lines}"))


@pytest.mark.usefixtures("config")
def test_everything_wrong_with_the_config_is_told_at_once_and_nothing_is_touched(live: SandboxEnvironment) -> None:
    live.set({"bluegreen:app": "My_App", "bluegreen:strategy": "Canary", "green:replcas": 3})
    add(live, "  green:imageTag: 1.10\n  blue:env: {UMASK: 0022, START: 12:30:45, DEBUG: on}\n  blue:migrate: [up, 1e3]\n")
    file = live.config_file.name
    words = [
        "bluegreen:app: My_App",
        "one of Recreate, RollingUpdate",
        "Did you mean green:replicas?",
        "green:imageTag: 1.10",
        f"It must be in quotes: {file} says 1.10, which YAML reads as the number 1.1.",
        "blue:env.UMASK: 0022",
        f"It must be in quotes: {file} says 0022, which YAML reads as the number 18.",
        'Write it in quotes: "0022"',
        "blue:env.START: 12:30:45",
        "blue:env.DEBUG: on",
        "blue:migrate[1]: 1e3",
        "Nothing was changed.",
    ]
    with undisturbed(live):
        said = [live.preview(succeeds=False), live.up(succeeds=False)]
        status = Operator(live).run("status", status=2).err
    assert [word for text in (*(each.text for each in said), status) for word in words if word not in text] == []
    assert "Traceback" not in "".join(each.text for each in said) + status
    assert [each.written for each in said] == [set(), set()]


PLAIN = [
    *("0022", "0o22", "0x10", "0b11", "1_000", "1.10", "1.0", ".5", "+5", "1e3", "12e45", "08", "-0", "2026-11-27", "2026-1-2"),
    *("True", "~", "null", "12345678901234567890", "!!float 1", "!version 5", "12:30:45", "on", "NO", "=", "2026-13-45"),
    *("5432", "-5", "1234567890123456789", "0.5", "1.5", "true", "v1.10", "1.2.3", "8080:80", "64Mi", "2026-11-27-rc1", "a b"),
]


@pytest.mark.usefixtures("config")
def test_a_plain_value_is_the_same_for_the_engine_and_the_command_or_it_is_found(live: SandboxEnvironment) -> None:
    add(live, "  try:env:\n" + "".join(f"    A{place}: {text}\n" for place, text in enumerate(PLAIN)))
    told = live.run("config", "--json").text
    engine = json.loads(json.loads(told[told.index("{\n") :])["try:env"]["value"])
    found = of_stack(live.config_file.read_text(), "")
    changed = {each.path for each in found.misread}
    for place, text in enumerate(PLAIN):
        ours, theirs = found.values["try:env"][f"A{place}"], engine[f"A{place}"]
        shown = theirs if isinstance(theirs, str) else json.dumps(theirs)
        assert f".A{place}" in changed or ours == theirs, f"{text} is {theirs!r} to the engine and {ours!r} to the command"
        assert f".A{place}" in changed or shown == text, f"{text} is {shown}"
    assert len(changed) == PLAIN.index("5432")
    assert yaml.safe_load("A: 012")["A"] == 10  # what the command would have seen by itself


# The key -> where in it the secret stands.
SECRETS = {
    "blue:env": {"TOKEN": ...},
    "bluegreen:env": {"TOKEN": ...},
    "blue:migrate": ["migrate", ...],
    "bluegreen:context": ...,
    "bluegreen:namespace": ...,
    "blue:release": ...,
}


def with_secret(value: object, secret: object) -> object:
    if isinstance(value, dict):
        return {name: with_secret(each, secret) for name, each in value.items()}
    if isinstance(value, list):
        return [with_secret(each, secret) for each in value]
    return secret if value is ... else value


@pytest.mark.usefixtures("config")
def test_a_secret_in_another_key_than_secret_env_is_refused_and_is_nowhere_in_plain_text(live: SandboxEnvironment) -> None:
    live.set_secret("blue:env.TOKEN", SECRET)
    encrypted = yaml.safe_load(live.config_file.read_text())["config"]["blue:env"]["TOKEN"]
    live.set({key: with_secret(value, encrypted) for key, value in SECRETS.items()})
    with undisturbed(live):
        said = [live.preview("--diff", succeeds=False).text, live.up(succeeds=False).text]
        ran = Operator(live).run("status", status=2)
        said.append(f"{ran.out}\n{ran.err}")
    words = [*(f"{key}: [secret]\n" for key in SECRETS), "It must be plain: only secretEnv"]
    assert [(word, text) for text in said for word in words if word not in text] == []
    assert all("pulumi config set --secret --path 'blue:secretEnv.<NAME>'" in text for text in said)
    assert not any("Traceback" in text for text in said)
    encoded = base64.b64encode(SECRET.encode()).decode()
    kept = [*said, live.state_text(), live.config_file.read_text()]
    assert [text for text in kept if SECRET in text or encoded in text] == []

"""Users who are there while something is done to an environment, and the way to see that it was refused without a trace."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from bluegreen.release.refusals import Refusal, Rule
from dev.traffic.report import totals
from tests.cli import Result, pulumi
from tests.stack import SandboxEnvironment

# Few enough for a slow host, on which several tests have users at the same time.
USERS_A_SECOND = 50
LONGEST_SECONDS = 600


@contextlib.contextmanager
def served_by(environment: SandboxEnvironment, *colors: str) -> Iterator[None]:
    """Users are there all the while; each one is served, by one of `colors`, and each of these serves some."""
    with environment.users.load(USERS_A_SECOND, LONGEST_SECONDS) as load:
        yield
        assert load.live().running, "users went away before the test ended"
    counted = totals(load.stop())
    assert counted.failed == 0, f"{counted.failed} of {counted.requests} requests failed: {counted.errors}"
    assert set(counted.succeeded) == set(colors), f"users were served by {counted.succeeded}, and not by {colors} alone"


@contextlib.contextmanager
def undisturbed(environment: SandboxEnvironment, color: str = "blue") -> Iterator[None]:
    """Nothing in the cluster is written, pods included, and users are served by `color` all the while."""
    before = environment.objects()
    with served_by(environment, color):
        yield
    after = environment.objects()
    touched = [each for each in before | after if before.get(each) != after.get(each)]
    assert touched == [], f"touched were {touched}"


def refused(environment: SandboxEnvironment, *words: str) -> None:
    """`pulumi preview` and `pulumi up` refuse what the config asks for, in these words."""
    for command in (["preview"], ["up", "--skip-preview", "--yes"]):
        result = environment.run(*command, succeeds=False, recorded=False)
        missing = [each for each in words if each not in result.text]
        assert missing == [], f"nothing was said of {missing} by {result}"
        assert "Traceback" not in result.text, str(result)


def by(rule: Rule, remedy: str = "") -> list[str]:
    """The words of a refusal that names its rule, and its remedy or a part of it."""
    said = str(Refusal(rule=rule, asked="", live="", remedy=remedy)).splitlines()
    return [said[0], said[-1].strip()]


@contextlib.contextmanager
def same_config_afterwards(environment: SandboxEnvironment) -> Iterator[None]:
    """Puts the config file back, whatever was done to it."""
    text = environment.config_file.read_text()
    try:
        yield
    finally:
        environment.config_file.write_text(text)


class AnotherStack(SandboxEnvironment):
    """A stack beside that of `first`, with a config file of its own that is the same but for `change`.

    `state` is where its state is kept: that of `first`, or a directory that does not exist yet.
    """

    def __init__(
        self, first: SandboxEnvironment, directory: Path, name: str, state: Path, change: Mapping[str, object]
    ) -> None:
        super().__init__(first.cluster, directory, first.project)
        self.name, self.state, self.host = name, state, first.host
        self._namespace = first.name
        self._variables |= {"PULUMI_BACKEND_URL": f"file://{state}"}
        state.mkdir(exist_ok=True)
        self.config_file = directory / f"Pulumi.{name}.yaml"
        (directory / "Pulumi.yaml").write_text(f"name: {self.project_name}\nruntime: python\n")
        # With a passphrase, as by default.
        made = pulumi("stack", "init", name, "--no-select", project=directory, variables=self._variables)
        assert made.status == 0, str(made)
        self.set(yaml.safe_load(first.config_file.read_text())["config"] | change)

    def delete(self) -> None:
        """Nothing: the namespace is the other one's."""


class RenamedStack(SandboxEnvironment):
    """The stack of `first` under the name `name`, which it gets here. The CLI renames the config file too."""

    def __init__(self, first: SandboxEnvironment, name: str) -> None:
        super().__init__(first.cluster, first.config_file.parent, first.project)
        renamed = pulumi(
            "stack", "rename", name, "--stack", first.name, project=first.config_file.parent, variables=first._variables
        )
        assert renamed.status == 0, str(renamed)
        self.name, self.state, self.host = name, first.state, first.host
        self._variables = first._variables
        self.config_file = first.config_file.with_name(f"Pulumi.{name}.yaml")


@contextlib.contextmanager
def by_way_of(environment: SandboxEnvironment, file: Path, *, server: str = "", token: str = "") -> Iterator[None]:
    """The environment is operated with a copy of the kubeconfig in `file`: another server's, or another person's."""
    config = yaml.safe_load(Path(environment.cluster.variables["KUBECONFIG"]).read_text())
    if server:
        config["clusters"][0]["cluster"]["server"] = server
    if token:
        config["users"][0]["user"] = {"token": token}
    file.write_text(json.dumps(config))
    variables = environment._variables
    environment._variables = variables | {"KUBECONFIG": str(file)}
    try:
        yield
    finally:
        environment._variables = variables


def writer_who_may_not_list(environment: SandboxEnvironment) -> str:
    """A token of someone who may get and write each object of the namespace, but not list them."""
    where = ("--namespace", environment.name)
    rights = ["--verb=get,create,update,patch,delete", "--resource=*.*"]
    environment.cluster.kubectl("create", "serviceaccount", "writer", *where)
    environment.cluster.kubectl("create", "role", "writer", *rights, *where)
    account = f"--serviceaccount={environment.name}:writer"
    environment.cluster.kubectl("create", "rolebinding", "writer", "--role=writer", account, *where)
    return environment.cluster.kubectl("create", "token", "writer", *where).strip()


def pods(environment: SandboxEnvironment, color: str) -> list[str]:
    """The names of a color's pods that are not on their way out."""
    return sorted(each for each in environment.objects() if each.startswith(f"Pod/myapp-{color}-"))


def break_a_pod(environment: SandboxEnvironment, color: str) -> str:
    """Makes one pod of a color unready, for good, without touching its Deployment; returns its name when it is."""
    name = pods(environment, color)[0].removeprefix("Pod/")
    where = ("--namespace", environment.name)
    environment.cluster.kubectl("set", "image", *where, f"pod/{name}", "myapp=bluegreen.example/app:9.9")
    environment.cluster.kubectl("wait", *where, f"pod/{name}", "--for=condition=Ready=false", "--timeout=30s")
    return name


def patch(environment: SandboxEnvironment, kind: str, name: str, change: object) -> None:
    """What somebody does beside the stack, and not with kubectl, whose fields an update takes back."""
    where = ("--namespace", environment.name, "--field-manager=somebody")
    environment.cluster.kubectl("patch", kind, name, *where, "--type=json", "--patch", json.dumps(change))


def refresh(environment: SandboxEnvironment) -> Result:
    """`pulumi up --refresh`."""
    return environment.run("up", "--skip-preview", "--yes", "--refresh")

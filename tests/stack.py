"""An environment of a test's own, operated as a person operates one: a change of its config file, then `pulumi up`."""

import contextlib
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from tests import vault, work
from tests.cli import Result, pulumi
from tests.cluster import ROOT, SandboxCluster
from tests.engine import toy_layer
from tests.entrance import Endpoint

PREFIX = "bluegreen-test-"

# One color, live. Pods that leave quickly, so that the tests do.
ONE_COLOR: dict[str, object] = {
    "bluegreen:activeColor": "blue",
    "bluegreen:drainSeconds": 1,
    "bluegreen:replicas": 2,
    "bluegreen:readyTimeoutSeconds": 60,
    "blue:imageTag": "1.0",
}
BOTH_COLORS = ONE_COLOR | {"green:imageTag": "2.0", "bluegreen:testColor": "green"}
# For tests that need no second pod of a color.
ONE_POD: dict[str, object] = {"bluegreen:replicas": 1}


def other(color: str) -> str:
    """The color that `color` is not."""
    return {"blue": "green", "green": "blue"}[color]


class SandboxEnvironment:
    """One stack with a namespace, a host name, a state and a config file of its own, all called `name`.

    `service` is the name of the Service that users reach. Everything but the namespace is in `directory`; nothing is ever
    written into the project. The namespace accepts restricted pods only, the strictest of the Pod Security Standards.
    """

    def __init__(self, cluster: SandboxCluster, directory: Path, project: Path = ROOT) -> None:
        self.name = PREFIX + secrets.token_hex(4)
        self.cluster = cluster
        self.project = project
        self.project_name = str(yaml.safe_load((project / "Pulumi.yaml").read_text())["name"])
        self.config_file = directory / f"Pulumi.{self.name}.yaml"
        self.state = directory / "state"
        self.host = f"{self.name}.example"
        self.results: list[Result] = []
        self.service = "myapp"
        self._variables = {**cluster.variables, "PULUMI_BACKEND_URL": f"file://{self.state}"}

    def create(self, config: Mapping[str, object]) -> None:
        """Makes the namespace, the stack and its config file."""
        work.done["environments"] += 1
        self.state.mkdir(parents=True)
        namespace = {"name": self.name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
        self.cluster.kubectl(
            "create", "--filename=-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": namespace})
        )
        # `stack init` writes the stack's config file beside a Pulumi.yaml. Only the project's name matters to the state, so
        # it finds one here, and the project itself stays clean.
        beside = self.config_file.parent
        (beside / "Pulumi.yaml").write_text(f"name: {self.project_name}\nruntime: python\n")
        provider = f"--secrets-provider={vault.secrets_provider(self._variables)}"
        made = pulumi("stack", "init", self.name, "--no-select", provider, project=beside, variables=self._variables)
        assert made.status == 0, str(made)
        self.set({f"{self.project_name}:namespace": self.name, f"{self.project_name}:host": self.host, **config})

    def delete(self) -> None:
        """Deletes the namespace, without waiting until it is gone."""
        self.cluster.kubectl("delete", "namespace", self.name, "--wait=false", "--ignore-not-found")

    # What an operator does

    def set(self, change: Mapping[str, object]) -> None:
        """Writes `change` into the config file; None removes a key."""
        content = yaml.safe_load(self.config_file.read_text())
        config = content.get("config", {}) | change
        content["config"] = {key: value for key, value in config.items() if value is not None}
        self.config_file.write_text(yaml.safe_dump(content))

    def set_secret(self, path: str, value: str) -> None:
        """Writes a value into the config file by the CLI, encrypted."""
        self.run("config", "set", "--secret", "--path", path, value)

    def up(self, *, succeeds: bool = True, recorded: bool = True) -> Result:
        """`pulumi up`; without success when `succeeds` is true, or with it when it is not, the test fails."""
        return self.run("up", "--skip-preview", "--yes", succeeds=succeeds, recorded=recorded)

    def preview(self, *options: str, succeeds: bool = True) -> Result:
        return self.run("preview", *options, succeeds=succeeds)

    def destroy(self) -> Result:
        return self.run("destroy", "--skip-preview", "--yes")

    def deploy(self, color: str, tag: str) -> Result:
        """Gives a color an image; who is served stays as it is."""
        self.set({f"{color}:imageTag": tag})
        return self.up()

    def test(self, color: str) -> Result:
        """Sends the testers to a color."""
        self.set({"bluegreen:testColor": color})
        return self.up()

    def activate(self, color: str) -> Result:
        """Sends the users to a color, and the testers to the other one: a switch, or a roll-back."""
        self.set({"bluegreen:activeColor": color, "bluegreen:testColor": other(color)})
        return self.up()

    def ensure_users_on(self, color: str) -> None:
        """Activates a color unless the config has it as active color already."""
        config = yaml.safe_load(self.config_file.read_text())["config"]
        if (config["bluegreen:activeColor"], config.get("bluegreen:testColor")) != (color, other(color)):
            self.activate(color)

    def retire(self, color: str) -> Result:
        """Removes a color that serves testers at most."""
        self.set({f"{color}:imageTag": None, "bluegreen:testColor": None})
        return self.up()

    def run(self, *command: str, succeeds: bool = True, recorded: bool = True) -> Result:
        """Any command of the CLI, on this stack."""
        where = ("--stack", self.name, "--config-file", str(self.config_file))
        result = pulumi(*command, *where, project=self.project, variables=self._variables, recorded=recorded)
        self.results.append(result)
        assert (result.status == 0) is succeeds, str(result)
        return result

    # What there is now

    def objects(self) -> dict[str, dict[str, Any]]:
        """The objects in the namespace, by kind and name; see `SandboxCluster.objects`."""
        return self.cluster.objects(self.name)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object, as it is."""
        found: dict[str, Any] = json.loads(self.cluster.kubectl("get", kind, name, "--namespace", self.name, "--output=json"))
        return found

    def outputs(self) -> dict[str, Any]:
        """What the stack tells its operator."""
        told = pulumi("stack", "output", "--json", "--stack", self.name, project=self.project, variables=self._variables)
        assert told.status == 0, str(told)
        found: dict[str, Any] = json.loads(told.text)
        return found

    def state_resources(self) -> list[dict[str, Any]]:
        """The resources in the state."""
        told = pulumi("stack", "export", "--stack", self.name, project=self.project, variables=self._variables)
        assert told.status == 0, str(told)
        found: list[dict[str, Any]] = json.loads(told.text)["deployment"]["resources"]
        return found

    @property
    def locks(self) -> Path:
        """Where the engine keeps the locks of this stack, a file each, and nothing while nobody holds one."""
        return self.state / ".pulumi" / "locks" / "organization" / self.project_name / self.name

    def state_text(self) -> str:
        """All of the state that the engine keeps, history included."""
        return "\n".join(file.read_text(errors="replace") for file in self.state.rglob("*") if file.is_file())

    @property
    def routing(self) -> str:
        return str(self.config.get("bluegreen:routing", "istio"))

    @property
    def config(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.config_file.read_text())["config"]
        return found

    @property
    def users(self) -> Endpoint:
        """Where users come in. The selector moves new connections only, and has nobody but the application to say the color."""
        if self.routing == "istio":
            return Endpoint(url=self.cluster.gateway_url, host=self.host, color_header="x-color")
        if self.routing == toy_layer.__name__:
            return Endpoint(url=self.config["bluegreen:proxyUrl"], color_header=toy_layer.HEADER)
        return self._node_port(self.service)

    @property
    def testers(self) -> Endpoint:
        """Where testers come in, as long as there is a test color."""
        if self.routing in ("istio", toy_layer.__name__):
            return replace(self.users, cookie="theme=dark; test=true; lang=en")
        return self._node_port(f"{self.service}-test")

    def _node_port(self, service: str) -> Endpoint:
        port = self.get("service", service)["spec"]["ports"][0]["nodePort"]
        return Endpoint(url=f"http://{self.cluster.node_address}:{port}", color_header="x-served-by", keep_alive=False)

    def evidence(self) -> str:
        """What a person wants to see when a test has failed: the last command, the pods, the latest events."""
        with contextlib.suppress(AssertionError):
            look = ["--namespace", self.name]
            pods = self.cluster.kubectl("get", "pods", *look)
            events = self.cluster.kubectl("get", "events", *look, "--sort-by=.lastTimestamp").splitlines()[-15:]
            return "\n".join([*map(str, self.results[-1:]), pods, *events])
        return "\n".join(map(str, self.results[-1:]))


@contextlib.contextmanager
def environment_of_its_own(
    cluster: SandboxCluster, directory: Path, config: Mapping[str, object], project: Path = ROOT
) -> Iterator[SandboxEnvironment]:
    """An environment with `config`, on which nothing is deployed yet. Its namespace is deleted at the end."""
    environment = SandboxEnvironment(cluster, directory, project)
    try:
        environment.create(config)
        yield environment
    finally:
        environment.delete()

"""Releases of a team's own manifest, on the real engine and cluster, in each routing: nobody is turned away, and the pods are
what the team wrote but for what two colors cannot share."""

import copy
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from bluegreen.release import metadata
from tests.as_written import OF_EVERY_COLOR, differences, differences_beside_the_template
from tests.cluster import ROOT, SandboxCluster
from tests.command import Operator
from tests.engine.onlookers import refused, same_config_afterwards, served_by, undisturbed
from tests.stack import SandboxEnvironment

WEB = "\n---\n".join(file.read_text() for file in sorted((ROOT / "examples" / "manifests" / "web").glob("*.yaml")))

PASSWORDS = {"blue": "hunter2-of-blue", "green": "hunter2-of-green"}

# What the template of a color has that the team's does not, or has otherwise.
OF_A_COLOR = OF_EVERY_COLOR | {
    "metadata.labels.app",
    "spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector",
    "spec.containers[web].env[DB_SCHEMA].valueFrom.configMapKeyRef.name",
    "spec.containers[web].env[DB_PASSWORD].valueFrom.secretKeyRef.name",
    "spec.containers[web].lifecycle",
    "spec.topologySpreadConstraints[0].labelSelector",
    "spec.volumes[files].projected.sources[0].configMap.name",
    "spec.volumes[files].projected.sources[1].secret.name",
    "spec.volumes[settings].configMap.name",
}


def documents(text: str) -> dict[str, dict[str, Any]]:
    """The objects of a manifest by their kind."""
    found = {document["kind"]: document for document in yaml.safe_load_all(text)}
    # Users come in by a port of the node with the selector.
    found["Service"]["spec"]["type"] = "NodePort"
    return found


class Team(SandboxEnvironment):
    """A team with a project of its own, which holds its manifests."""

    def commit(self, color: str, objects: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes the manifest of a color, and names it in the config."""
        path = self.project / "k8s" / color / "web.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump_all(map(dict, objects.values())))
        self.set_secret(f"{color}:secretData.web-database.password", PASSWORDS[color])
        self.set({f"{color}:manifest": f"k8s/{color}"})

    def uids(self, color: str) -> set[str]:
        """The pods of a color."""
        found = self.cluster.kubectl("get", "pods", "--namespace", self.name, f"--selector=color={color}", "--output=json")
        return {pod["metadata"]["uid"] for pod in json.loads(found)["items"] if "deletionTimestamp" not in pod["metadata"]}


def operator(environment: SandboxEnvironment) -> Operator:
    """A person in the team's project."""
    person = Operator(environment)
    users, testers = environment.users, environment.testers
    person._options += ["--url", users.url, "--test-url", testers.url, "--color-header", users.color_header]
    return person


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of the team's own, with the program and the command."""
    made = tmp_path / "project"
    made.mkdir()
    for folder in ("bluegreen", "components", "bin"):
        shutil.copytree(ROOT / folder, made / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__main__.py", "Pulumi.yaml"):
        shutil.copy(ROOT / file, made / file)
    (made / ".venv").symlink_to((ROOT / ".venv").resolve())
    return made


@pytest.fixture(params=["istio", "selector"])
def team(request: pytest.FixtureRequest, cluster: SandboxCluster, project: Path, tmp_path: Path) -> Iterator[Team]:
    config: dict[str, object] = {
        "bluegreen:routing": request.param,
        "bluegreen:activeColor": "blue",
        "bluegreen:drainSeconds": 1,
        "bluegreen:readyTimeoutSeconds": 90,
    }
    environment = Team(cluster, tmp_path / "environment", project)
    environment.service = "web"
    try:
        environment.create(config)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
        cluster.kubectl("create", "--filename=-", "--namespace", environment.name, stdin=json.dumps(account))
        yield environment
    finally:
        environment.delete()


def changed(objects: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The next release of the manifest: another image in every container, another value, another port, another Service."""
    made: dict[str, Any] = json.loads(json.dumps(objects).replace("app:1.0", "app:2.0"))
    made["ConfigMap"]["data"]["schema"] = "shop2"
    made["Deployment"]["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] = "2.0"
    made["Service"]["spec"]["ports"].append({"name": "agent", "port": 3900, "targetPort": 3900})
    direct = {"selector": {"team": "front"}, "ports": [{"port": 3000, "targetPort": "app"}]}
    made["another Service"] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "direct"}, "spec": direct}
    return made


def test_a_whole_release_of_a_manifest_turns_nobody_away(team: Team) -> None:
    first = documents(WEB)
    second = changed(first)
    team.set({"bluegreen:service": "web"})
    team.commit("blue", first)
    installed = team.up()
    assert "ServiceAccount web" in installed.text
    team.users.wait_for("blue")
    assert team.up().written == set()
    compared(team, "blue", first["Deployment"])
    blue = team.uids("blue")
    with served_by(team, "blue", "green"):
        team.commit("green", second)
        assert "green: none -> 2.0" in Operator(team).run("plan", "--markdown").out
        assert "update Deployment/myapp-blue" not in team.preview("--diff").written
        Operator(team).run("deploy", "green", "--image", "2.0")
        compared(team, "green", second["Deployment"])
        green = team.uids("green")
        team.test("green")
        team.testers.wait_for("green")
        person = operator(team)
        seen = person.run("status", "--json").lines[0]
        assert (seen["active"], seen["test"], seen["drift"], seen["foreign"]) == ("blue", "green", [], "")
        team.activate("green")
        team.users.wait_for("green")
        person.run("rollback")
        team.users.wait_for("blue")
        person.run("activate", "green")
        team.users.wait_for("green")
        person.run("rollback", "--now")
        team.users.wait_for("blue")
        assert team.up().written == set()
        person.run("activate", "green")
        team.users.wait_for("green")
        assert (team.uids("blue"), team.uids("green")) == (blue, green)
        person.run("decommission", "blue")
        assert team.uids("blue") == set()
        assert team.uids("green") == green
    assert [port["port"] for port in team.get("service", "web")["spec"]["ports"]] == [80, 81, 3900]
    follows = {"color": "green"} if team.routing == "selector" else {}
    assert team.get("service", "direct")["spec"]["selector"] == {metadata.APP: "myapp", **follows}
    assert not [name for name in team.objects() if "-blue" in name and "blue-green" not in name]
    nothing_is_in_plain_text(team)


def compared(team: Team, color: str, written: Mapping[str, Any]) -> None:
    """A color's Deployment and its pods are what the team wrote, but for what two colors cannot share."""
    name, own_name = f"myapp-{color}", "selector.matchLabels.app.kubernetes.io/name"
    assert differences(team, name, written) == OF_A_COLOR
    selector = {"selector.matchLabels.color", f"selector.matchLabels.{metadata.APP}", own_name}
    assert differences_beside_the_template(team, name, written) == selector
    found = team.get("deployment", name)
    assert found["metadata"]["labels"]["team"] == "front"
    command = ("get", "pods", "--namespace", team.name, f"--selector=color={color}", "--output=json")
    for pod in json.loads(team.cluster.kubectl(*command))["items"]:
        labels = {name: value for name, value in pod["metadata"]["labels"].items() if name != "pod-template-hash"}
        assert labels == found["spec"]["template"]["metadata"]["labels"]
        ready = {status["name"]: status["ready"] for status in pod["status"]["containerStatuses"]}
        assert ready == {"front": True, "web": True}


def nothing_is_in_plain_text(team: Team) -> None:
    """No value of a Secret is in the state, in an output of a command, or in a file of the project."""
    files = [file.read_text() for file in [team.config_file, *(team.project / "k8s").rglob("*.yaml")]]
    seen = [team.state_text(), *files, *(result.text for result in team.results)]
    assert not [password for password in PASSWORDS.values() for text in seen if password in text]


def test_a_team_moves_over_from_config_values_and_turns_nobody_away(team: Team) -> None:
    team.service = "myapp"
    team.set({"blue:imageTag": "1.0", "bluegreen:replicas": 2})
    team.up()
    team.users.wait_for("blue")
    objects = documents(WEB)
    objects["Service"]["metadata"]["name"] = "myapp"
    objects["Service"]["spec"]["ports"][0]["port"] = 3000
    node_port = team.get("service", "myapp")["spec"]["ports"][0].get("nodePort")
    with served_by(team, "blue", "green"):
        blue = team.uids("blue")
        team.commit("green", changed(objects))
        team.up()
        assert team.uids("blue") == blue
        team.test("green")
        team.testers.wait_for("green")
        for color in ("green", "blue", "green"):
            team.activate(color)
            team.users.wait_for(color)
        team.retire("blue")
        team.commit("blue", objects)
        team.up()
        team.activate("blue")
        team.users.wait_for("blue")
    if node_port:
        assert team.get("service", "myapp")["spec"]["ports"][0]["nodePort"] == node_port
    assert team.up().written == set()


@pytest.mark.parametrize("team", ["istio"], indirect=True)
def test_a_manifest_that_cannot_be_two_is_refused_before_anything_is_touched(team: Team) -> None:
    team.commit("blue", documents(WEB))
    team.up()
    team.users.wait_for("blue")
    broken = copy.deepcopy(documents(WEB))
    broken["Deployment"]["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 9090
    with same_config_afterwards(team), undisturbed(team):
        team.commit("green", broken)
        refused(team, "k8s/green/web.yaml", "hostPort", "1 error")
    changed_live = copy.deepcopy(documents(WEB))
    changed_live["Deployment"]["spec"]["template"]["metadata"]["annotations"]["more"] = "yes"
    with undisturbed(team):
        team.commit("blue", changed_live)
        refused(team, "another pod template for blue")

"""The Roles of `examples/rbac/`: each lets its commands through, and has no right that none of them needs."""

from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cluster import SandboxCluster
from tests.conftest import Environments
from tests.engine.onlookers import break_a_pod, same_config_afterwards, served_by, undisturbed
from tests.engine.rights import Person, Recorded, Right, rules
from tests.notes import notes
from tests.stack import BOTH_COLORS, SandboxEnvironment

# What uses the rules of the files: a story with everything, and one with nothing that can be left out.
EVERYTHING = ("always", "istio", "install", "env", "secretEnv", "replicas", "maxReplicas", "migrate")
LITTLE = ("always", "selector")

NAMES = ("plan", "release", "rollback")


# What a role is refused on purpose, and can do without. A preview warns that it could not look for a Secret. An update without
# the right to read what the route leads through leaves that as it is. Pulumi looks for events while it writes an object.
# Without the right to list Gateways in all namespaces (hosts.yaml) hosts are not compared.
_ISTIO = "networking.istio.io"
_GATEWAYS = Right("gateways", "list", _ISTIO)
WITHHELD = {
    "plan": {Right("secrets", "get"), _GATEWAYS},
    "release": {_GATEWAYS},
    "rollback": {
        _GATEWAYS,
        *(
            Right(resource, "get", group)
            for resource, group in (("destinationrules", _ISTIO), ("gateways", _ISTIO), ("services", ""))
        ),
        *(Right("events", verb) for verb in ("list", "watch")),
    },
}


@dataclass(frozen=True, kw_only=True)
class Story:
    """An environment, and the accounts that did everything in it that is done with them."""

    plan: Person
    release: Person
    rollback: Person
    refreshed: Recorded = field(default_factory=Recorded)

    def person(self, name: str) -> Person:
        found: Person = getattr(self, name)
        return found


def _begin(environment: SandboxEnvironment, features: Collection[str], directory: Path) -> Story:
    plan, release, rollback = (Person(environment, name, features, directory) for name in NAMES)
    story = Story(plan=plan, release=release, rollback=rollback)
    with story.plan.working() as operator:
        operator.run("plan")
    with story.release.working():
        environment.up()
    return story


def _look(story: Story) -> None:
    """Everything that only looks."""
    environment = story.plan.environment
    config = environment.config_file.read_text()
    environment.set({"bluegreen:activeColor": "blue", "bluegreen:testColor": "green"})
    with story.plan.working() as operator:
        environment.preview("--diff")
        operator.run("status")
        operator.run("history")
    environment.config_file.write_text(config)


@pytest.fixture(scope="module")
def everything(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """From the first preview to the last object: Istio, variables, secrets, migrations, a budget and an autoscaler."""
    directory = tmp_path_factory.mktemp("everything")
    with ExitStack() as until_the_end:
        new_environment = Environments(cluster, directory, until_the_end)
        change = {"bluegreen:replicas": 2, "bluegreen:maxReplicas": 3}
        environment = until_the_end.enter_context(notes(new_environment, change))
        story = _begin(environment, EVERYTHING, directory)
        with story.release.working() as operator:
            environment.set({"green:env": {"DB_PORT": "1"}})
            operator.run("deploy", "green", "--image", "3.0", status=4)
            environment.set({"green:env": None})
            operator.run("deploy", "green", "--image", "2.0")
            operator.run("test", "green")
            operator.run("activate", "green")
        _look(story)
        break_a_pod(environment, "green")
        with story.rollback.working() as operator:
            operator.run("rollback", "--now")
            operator.run("status")
        with Person(environment, "drift", EVERYTHING, directory, story.refreshed).working():
            environment.run("refresh", "--preview-only")
        with story.release.working(is_old=True) as operator:
            operator.run("decommission", "green")
            environment.destroy()
        yield story


@pytest.fixture(scope="module")
def little(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Routing by selector, and nothing that can be left out. Both colors are up."""
    directory = tmp_path_factory.mktemp("little")
    with ExitStack() as until_the_end:
        change = {"bluegreen:routing": "selector", "bluegreen:replicas": 1}
        environment = Environments(cluster, directory, until_the_end)(BOTH_COLORS | change)
        story = _begin(environment, LITTLE, directory)
        reached = _reached(environment)
        with story.release.working() as operator:
            operator.run("activate", "green", *reached)
        _look(story)
        with story.rollback.working(is_old=True) as operator:
            operator.run("rollback", *reached)
            operator.run("status", *reached)
        with story.release.working(is_old=True) as operator:
            operator.run("decommission", "green", *reached)
            environment.set({"green:imageTag": "2.0", "bluegreen:testColor": "green"})
            environment.up()
        yield story


def _reached(environment: SandboxEnvironment) -> list[str]:
    return ["--url", environment.users.url, "--test-url", environment.testers.url, "--color-header", "x-served-by"]


@pytest.mark.parametrize("name", NAMES)
def test_every_right_of_a_role_is_used(everything: Story, little: Story, name: str) -> None:
    given = {right for rule in rules(name) for right in rule.rights}
    assert given - everything.person(name).used() - little.person(name).used() == set()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("done_by", ["everything", "little"])
def test_a_role_has_every_right_that_its_commands_need(request: pytest.FixtureRequest, done_by: str, name: str) -> None:
    """They have all succeeded. What was refused all the same is a rule that was left out, or must be refused."""
    person = request.getfixturevalue(done_by).person(name)
    left_out = {right for rule in rules(name) if rule.feature not in person.features for right in rule.rights}
    refused = [each for each in person.recorded.refused() if not each.rights <= left_out | WITHHELD[name]]
    assert [str(each) for each in refused if not (name == "plan" and each.is_dry_run)] == []


def test_a_refresh_needs_what_drift_yaml_adds_and_nothing_else(everything: Story) -> None:
    assert list(map(str, everything.refreshed.refused())) == []
    [added] = rules("drift")
    assert added.rights <= everything.refreshed.used(everything.plan.environment.name)


# A command, the account that runs it, the right that is taken from it meanwhile, and the exit status.
MISSING = [
    ("release", "list", "deployments.apps", 1, ["deploy", "green", "--image", "3.0"]),
    ("release", "get", "services", 1, ["activate", "green"]),
    ("release", "patch", "services", 4, ["activate", "green"]),
    ("release", "list", "services", 1, ["decommission", "green"]),
    ("rollback", "list", "deployments.apps", 1, ["rollback", "--now"]),
    ("rollback", "patch", "services", 4, ["rollback", "--now"]),
    ("plan", "list", "deployments.apps", 1, ["status"]),
]


def test_a_missing_right_is_a_sentence_and_users_stay(little: Story) -> None:
    environment = little.release.environment
    reached = _reached(environment)
    with undisturbed(environment):
        for name, verb, resource, status, command in MISSING:
            person = little.person(name)
            taken = person.without(verb, resource.partition(".")[0])
            with same_config_afterwards(environment), taken, person.working() as operator:
                said = operator.run(*command, *reached, status=status)
            assert f"{verb} {resource} in namespace {environment.name}" in said.err, str(said)
            assert f"{name}.yaml" in said.err.partition("examples/rbac/")[2], str(said)
            assert "Traceback" not in said.err


def test_a_right_that_is_missing_while_pods_are_waited_for_ends_the_wait_soon(little: Story) -> None:
    """The API server may refuse for a moment while it starts, so that the wait ends after failFastSeconds."""
    environment = little.release.environment
    environment.set({"bluegreen:failFastSeconds": 2, "bluegreen:readyTimeoutSeconds": 600})
    taken = little.release.without("list", "replicasets")
    with served_by(environment, "blue"), taken, little.release.working() as operator:
        said = operator.run("deploy", "green", "--image", "3.0", *_reached(environment), status=4)
    assert f"list replicasets.apps in namespace {environment.name}" in said.err


def test_a_preview_whose_account_may_read_nothing_shows_what_the_state_says_and_warns(little: Story) -> None:
    """As before: a preview that cannot read the cluster is no error."""
    with little.plan.without("list", "deployments"), little.plan.working() as operator:
        shown = operator.run("plan")
    assert "no right to list deployments.apps" in shown.out + shown.err

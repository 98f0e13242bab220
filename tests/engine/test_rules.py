"""The rules of a release on the real engine: what is refused in preview and in up, and what the exceptions let pass."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bluegreen.release.refusals import Rule, mark
from tests.cluster import SandboxCluster, eventually
from tests.conftest import Environments
from tests.engine.onlookers import (
    break_a_pod,
    by,
    by_way_of,
    patch,
    refused,
    same_config_afterwards,
    served_by,
    undisturbed,
    writer_who_may_not_list,
)
from tests.stack import BOTH_COLORS, ONE_COLOR, ONE_POD, SandboxEnvironment, environment_of_its_own

Case = tuple[dict[str, object], list[str]]  # a change of the config, and the words of the refusal

SWITCH: dict[str, object] = {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"}
PODS_FIRST = "pulumi config set activeColor blue && pulumi up, then switch."

# What is asked of an environment with users on blue and testers on green, and the words of the refusal: each rule once.
WITH_BOTH_COLORS: dict[str, Case] = {
    "new pods of the target while users move": (
        SWITCH | {"green:imageTag": "3.0"},
        by(Rule.NEVER_BOTH, f"Change the pods first: {PODS_FIRST}"),
    ),
    "another image for the live color": (
        {"blue:imageTag": "3.0"},
        by(Rule.LIVE_STAYS, "Give the new value to the other color, and let it reach the users by a switch."),
    ),
    "the old color retired while users move": (
        {"bluegreen:activeColor": "green", "bluegreen:testColor": None, "blue:imageTag": None},
        by(Rule.WAY_BACK, "Keep the way back: remove blue:imageTag in the update after the switch."),
    ),
    "a promotion that approves something else": (
        SWITCH | {"bluegreen:expect": "1.9"},
        by(Rule.APPROVED, "Approve what runs (pulumi config set expect <tag or release>), or deploy what was approved."),
    ),
    "the live color retired": (
        {"blue:imageTag": None},
        ["bluegreen:activeColor: blue", "a deployed color, and blue:imageTag is not set", "pulumi config set blue:imageTag"],
    ),
}

# More questions to the same rules. Preview and up judge by the same code, so these are asked of a preview alone.
MORE: dict[str, Case] = {
    "new pods of the color that is left while users move": (
        SWITCH | {"blue:imageTag": "3.0"},
        by(Rule.NEVER_BOTH, f"Change the pods first: {PODS_FIRST}"),
    ),
    "scaling while users move": (
        SWITCH | {"bluegreen:replicas": 3},
        by(Rule.NEVER_BOTH, f"Change the pods first: {PODS_FIRST}"),
    ),
    "another variable for the live color": (
        {"blue:env": {"GREETING": "hello"}},
        by(Rule.LIVE_STAYS, "Give the new value to the other color, and let it reach the users by a switch."),
    ),
    "one color for users and testers": (
        {"bluegreen:testColor": "blue"},
        ["bluegreen:testColor: blue", "another color than activeColor", "pulumi config set testColor green"],
    ),
    "an unknown color": (
        {"bluegreen:activeColor": "red"},
        ["bluegreen:activeColor: red", "one of blue, green", "pulumi config set bluegreen:activeColor"],
    ),
}

# The same, with blue alone.
WITH_BLUE_ALONE: dict[str, Case] = {
    "users moved to a color that is absent": (
        {"bluegreen:activeColor": "green"},
        ["a deployed color, and green:imageTag is not set", "Deploy it first, in an update of its own"],
    ),
    "users moved to a color that is deployed in the same update": (
        SWITCH | {"green:imageTag": "2.0"},
        by(Rule.RUNS_ALREADY, f"Deploy first, switch afterwards: {PODS_FIRST}"),
    ),
}


@pytest.fixture(scope="module")
def both(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, testers on green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("both"), BOTH_COLORS | ONE_POD) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.fixture(scope="module")
def alone(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxEnvironment]:
    """Users on blue, and no green."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("alone"), ONE_COLOR | ONE_POD) as environment:
        environment.up()
        environment.users.wait_for("blue")
        yield environment


@pytest.mark.parametrize(("change", "words"), WITH_BOTH_COLORS.values(), ids=WITH_BOTH_COLORS)
def test_with_both_colors_it_is_refused_in_words_and_nothing_is_touched(
    both: SandboxEnvironment, change: dict[str, object], words: list[str]
) -> None:
    with same_config_afterwards(both), undisturbed(both):
        both.set(change)
        refused(both, *words)


@pytest.mark.parametrize(("change", "words"), MORE.values(), ids=MORE)
def test_with_both_colors_it_is_refused_by_a_preview_too(
    both: SandboxEnvironment, change: dict[str, object], words: list[str]
) -> None:
    with same_config_afterwards(both):
        both.set(change)
        said = both.preview(succeeds=False).text
    assert [word for word in words if word not in said] == []
    assert "Traceback" not in said


@pytest.mark.parametrize(("change", "words"), WITH_BLUE_ALONE.values(), ids=WITH_BLUE_ALONE)
def test_with_one_color_it_is_refused_in_words_and_nothing_is_touched(
    alone: SandboxEnvironment, change: dict[str, object], words: list[str]
) -> None:
    with same_config_afterwards(alone), undisturbed(alone):
        alone.set(change)
        refused(alone, *words)


def test_a_promotion_that_approves_what_runs_moves_the_users(both: SandboxEnvironment) -> None:
    with same_config_afterwards(both):
        both.set(SWITCH | {"bluegreen:expect": "2.0"})
        assert both.up().written == {"update VirtualService/myapp-blue-green"}
    both.up()
    both.users.wait_for("blue")


def test_a_color_that_is_not_ready_gets_no_users_unless_it_is_meant(alone: SandboxEnvironment) -> None:
    broken = {"green:imageTag": "2.0", "green:env": {"FAULT": "never-ready"}, "green:readyTimeoutSeconds": 4}
    with same_config_afterwards(alone):
        alone.set(broken)
        alone.up(succeeds=False)
        alone.set(SWITCH)
        with undisturbed(alone):
            refused(alone, *by(Rule.READY, "Wait until green is ready, or fix it; users stay where they are."))
        alone.set({"bluegreen:allow": ["unready"]})
        assert_passes_with_a_warning(alone, "unready", Rule.READY)
        alone.set({"bluegreen:activeColor": "blue", "bluegreen:testColor": "green"})
        alone.up()  # the way back does not wait for green


def assert_passes_with_a_warning(environment: SandboxEnvironment, exception: str, rule: Rule) -> None:
    said = environment.up().text
    assert f"warning: bluegreen:allow has {exception}, so this goes on:\n" in said
    assert f"Refused {mark(rule)}: {rule.sentence}\n" in said


def test_what_is_refused_passes_with_a_warning_when_it_is_meant(new_environment: Environments) -> None:
    environment = new_environment(BOTH_COLORS | {"bluegreen:replicas": 1})
    environment.up()
    meant: list[tuple[str, Rule, dict[str, object]]] = [
        ("change-live", Rule.LIVE_STAYS, {"blue:env": {"GREETING": "hello"}}),
        ("switch-and-change", Rule.NEVER_BOTH, SWITCH | {"green:imageTag": "3.0"}),
        (
            "switch-and-change",
            Rule.NEVER_BOTH,
            {"bluegreen:activeColor": "blue", "bluegreen:testColor": "green", "blue:replicas": 2},
        ),
        ("remove-live", Rule.WAY_BACK, {"bluegreen:activeColor": "green", "bluegreen:testColor": None, "blue:imageTag": None}),
    ]
    for exception, rule, change in meant:
        environment.set(change | {"bluegreen:allow": [exception, "less-room"]})
        assert_passes_with_a_warning(environment, exception, rule)
    environment.users.wait_for("green")
    assert [each for each in environment.objects() if "blue-" in each and each.startswith("Deployment")] == []


def test_a_target_that_fails_between_the_check_and_the_write_gets_no_users(new_environment: Environments) -> None:
    """An update that moves users waits for nothing, unless new pods of the old color are meant: here they are held up."""
    environment = new_environment(
        BOTH_COLORS | ONE_POD | {"bluegreen:strategy": "RollingUpdate", "bluegreen:allow": ["switch-and-change"]}
    )
    environment.up()
    environment.users.wait_for("blue")
    patch(environment, "deployment", "myapp-blue", [{"op": "add", "path": "/spec/paused", "value": True}])
    generation = environment.get("deployment", "myapp-blue")["metadata"]["generation"]
    route = environment.get("virtualservice", "myapp-blue-green")
    environment.set(SWITCH | {"blue:imageTag": "3.0"})
    with served_by(environment, "blue"), ThreadPoolExecutor() as aside:
        update = aside.submit(environment.up, succeeds=False)
        # The check has passed when blue is written; the route is not, as long as blue's new pods are held up.
        eventually(lambda: environment.get("deployment", "myapp-blue")["metadata"]["generation"] > generation, True)
        break_a_pod(environment, "green")
        patch(environment, "deployment", "myapp-blue", [{"op": "remove", "path": "/spec/paused"}])
        said = update.result().text
    assert "error: before hook" in said
    assert all(each in said for each in by(Rule.READY, "Wait until green is ready, or fix it; users stay where they are."))
    assert environment.get("virtualservice", "myapp-blue-green") == route


@pytest.mark.parametrize(
    ("context", "server"),
    [
        pytest.param("nowhere", "", id="a context that does not exist"),
        pytest.param(None, "https://127.0.0.1:9", id="a cluster that does not answer"),
    ],
)
def test_a_cluster_that_cannot_be_read_is_refused_in_up_and_loud_in_preview(
    both: SandboxEnvironment, context: str | None, server: str, tmp_path: Path
) -> None:
    with same_config_afterwards(both), undisturbed(both):
        both.set(SWITCH | {"bluegreen:context": context})
        with by_way_of(both, tmp_path / "kubeconfig", server=server):
            preview, update = both.preview(), both.up(succeeds=False)
    assert "warning: Could not list objects of kind Deployment in namespace" in preview.text
    assert "The rules of a release are not checked in this preview; an update would be refused." in preview.text
    assert "error: Could not list objects of kind Deployment in namespace" in update.text
    assert "nothing was changed. Fix that, or the access to the cluster" in update.text


def test_what_cannot_be_read_is_refused_unless_it_is_meant(both: SandboxEnvironment, tmp_path: Path) -> None:
    with same_config_afterwards(both), by_way_of(both, tmp_path / "kubeconfig", token=writer_who_may_not_list(both)):
        both.set(SWITCH)
        with undisturbed(both):
            assert "has no right to list deployments.apps in namespace" in both.up(succeeds=False).text
        both.set({"bluegreen:allow": ["unread"]})
        assert "not checked, and no color is waited for: bluegreen:allow has unread." in both.up().text
        both.users.wait_for("green")
    both.up()
    both.users.wait_for("blue")

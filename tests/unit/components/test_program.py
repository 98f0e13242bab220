"""What the program registers: objects, their order, and what a switch changes."""

import json
import re
import signal
from typing import Any

import pulumi
import pytest

from bluegreen.release import metadata
from bluegreen.routing.istio import cookie_pattern
from tests.engine import toy_layer
from tests.unit.program import BOTH_COLORS, ONE_COLOR, SWITCHED, Run, run

RECREATE = {"blue:strategy": "Recreate"}
SELECTOR = {"bluegreen:routing": "selector"}
ROUTE = "VirtualService/shop-blue-green"
# Layer -> the object that decides about users.
ROUTES = {"istio": ROUTE, "selector": "Service/shop", toy_layer.__name__: "ConfigMap/shop-traffic"}


def changed(before: Run, after: Run) -> set[str]:
    """The objects whose inputs or whose existence differ."""
    old, new = before.objects(), after.objects()
    return {key for key in old | new if key not in old or key not in new or old[key].inputs != new[key].inputs}


def pod(deployed: Run, color: str) -> dict[str, Any]:
    spec: dict[str, Any] = deployed.objects()[f"Deployment/shop-{color}"].inputs["spec"]["template"]["spec"]
    return spec


def container(deployed: Run, color: str) -> dict[str, Any]:
    only: dict[str, Any] = pod(deployed, color)["containers"][0]
    return only


def routes(deployed: Run) -> dict[str, str]:
    """Role -> color, in the order of the VirtualService."""
    http = deployed.objects()[ROUTE].inputs["spec"]["http"]
    return {each["name"]: each["route"][0]["destination"]["subset"] for each in http}


def test_a_switch_with_istio_changes_the_virtual_service_and_nothing_else() -> None:
    assert changed(run(BOTH_COLORS), run(SWITCHED)) == {ROUTE}


def test_a_switch_with_the_selector_changes_the_two_services_and_nothing_else() -> None:
    assert changed(run(BOTH_COLORS | SELECTOR), run(SWITCHED | SELECTOR)) == {"Service/shop", "Service/shop-test"}


def test_moving_the_test_route_changes_the_virtual_service_and_nothing_else() -> None:
    assert changed(run(BOTH_COLORS | {"bluegreen:testColor": ""}), run(BOTH_COLORS)) == {ROUTE}


@pytest.mark.parametrize("key", ["green:imageTag", "green:replicas", "green:release"])
def test_a_change_of_one_color_leaves_the_other_and_the_route_alone(key: str) -> None:
    before = run(BOTH_COLORS | {"green:replicas": "2"})
    assert changed(before, run(BOTH_COLORS | {"green:replicas": "2"} | {key: "3"})) == {"Deployment/shop-green"}


def test_a_new_variable_of_one_color_changes_its_config_map_and_its_pods_alone() -> None:
    before = run(BOTH_COLORS | {"bluegreen:env": '{"A": "1"}'})
    after = run(BOTH_COLORS | {"bluegreen:env": '{"A": "1"}', "green:env": '{"A": "2"}'})
    old, new = ({each for each in objects(made, "ConfigMap") if "green" in each} for made in (before, after))
    assert old != new
    assert changed(before, after) == old | new | {"Deployment/shop-green"}


def objects(deployed: Run, kind: str) -> set[str]:
    return {key for key in deployed.objects() if key.startswith(f"{kind}/")}


@pytest.mark.parametrize("routing", ROUTES)
def test_the_route_waits_for_every_color_whichever_is_live(routing: str) -> None:
    route = ROUTES[routing]
    for config in (BOTH_COLORS, SWITCHED):
        dependencies = run(config | {"bluegreen:routing": routing}).objects()[route].dependencies
        assert {"Deployment/shop-blue", "Deployment/shop-green"} <= dependencies


@pytest.mark.parametrize("routing", ROUTES)
def test_every_object_is_told_its_cluster_and_no_component_waits_for_it(routing: str) -> None:
    made = run(BOTH_COLORS | {"bluegreen:routing": routing, "bluegreen:replicas": "2"})
    assert {each.request.provider.split("::")[-2] for each in made.objects().values()} == {"cluster"}
    components = [each for each in made.resources.values() if each.request.type.startswith("bluegreen:")]
    assert components
    assert not any(each.request.provider or each.request.providers for each in components)


@pytest.mark.parametrize("routing", ROUTES)
def test_nothing_depends_on_the_route(routing: str) -> None:
    route = ROUTES[routing]
    deployed = run(BOTH_COLORS | {"bluegreen:routing": routing})
    assert [key for key, each in deployed.resources.items() if route in each.dependencies] == []


def test_the_graph_is_the_same_whichever_color_is_live() -> None:
    before, after = run(BOTH_COLORS), run(SWITCHED)
    assert {key: each.dependencies for key, each in before.resources.items()} == {
        key: each.dependencies for key, each in after.resources.items()
    }


def test_the_test_route_comes_before_the_default_route() -> None:
    assert list(routes(run(BOTH_COLORS)).items()) == [("shop-test", "green"), ("shop-default", "blue")]


def test_without_a_test_color_there_is_no_test_route() -> None:
    assert routes(run(ONE_COLOR)) == {"shop-default": "blue"}
    assert "Service/shop-test" not in run(ONE_COLOR | SELECTOR).objects()


def test_every_route_answers_with_the_color_that_served() -> None:
    http = run(BOTH_COLORS).objects()[ROUTE].inputs["spec"]["http"]
    said = [each["route"][0]["headers"]["response"]["set"]["x-color"] for each in http]
    assert said == ["green", "blue"]


def test_the_subsets_of_both_colors_are_declared_even_with_one_deployed() -> None:
    subsets = run(ONE_COLOR).objects()["DestinationRule/shop-blue-green-subsets"].inputs["spec"]["subsets"]
    assert {each["name"]: each["labels"] for each in subsets} == {
        "blue": {"color": "blue"},
        "green": {"color": "green"},
    }


def test_the_shared_service_never_follows_a_color() -> None:
    for config in (BOTH_COLORS, SWITCHED):
        assert run(config).objects()["Service/shop"].inputs["spec"]["selector"] == {"app": "shop"}


def test_the_selector_of_a_deployment_holds_no_tag() -> None:
    spec = run(BOTH_COLORS).objects()["Deployment/shop-green"].inputs["spec"]
    assert spec["selector"]["matchLabels"] == {"app": "shop", "color": "green"}


def test_the_gateway_takes_every_host_on_port_80() -> None:
    (server,) = run(ONE_COLOR).objects()["Gateway/shop-gateway"].inputs["spec"]["servers"]
    assert (server["port"]["number"], server["hosts"], "tls" in server) == (80, ["*"], False)


def test_with_a_certificate_the_gateway_redirects_port_80_to_443() -> None:
    config = ONE_COLOR | {"bluegreen:tlsSecret": "shop-tls", "bluegreen:host": "shop.example"}
    deployed = run(config)
    plain, tls = deployed.objects()["Gateway/shop-gateway"].inputs["spec"]["servers"]
    assert plain["tls"] == {"httpsRedirect": True}
    assert (tls["port"]["number"], tls["tls"]["credentialName"]) == (443, "shop-tls")
    assert deployed.outputs["url"] == "https://shop.example"


def test_pods_run_under_the_restricted_profile() -> None:
    deployed = run(ONE_COLOR)
    assert pod(deployed, "blue")["securityContext"] == {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(deployed, "blue")["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_pod_may_live_longer_than_it_drains_and_shuts_down() -> None:
    deployed = run(ONE_COLOR | {"blue:drainSeconds": "7", "blue:shutdownSeconds": "20"})
    assert container(deployed, "blue")["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert pod(deployed, "blue")["terminationGracePeriodSeconds"] == 27


def test_readiness_and_strategy_are_those_of_the_config() -> None:
    config = ONE_COLOR | {"blue:port": "8080", "blue:readinessPath": "/up", "blue:strategy": "Recreate"}
    deployed = run(config)
    assert container(deployed, "blue")["ports"] == [{"name": "http", "containerPort": 8080}]
    assert container(deployed, "blue")["readinessProbe"]["httpGet"] == {"path": "/up", "port": "http"}
    assert deployed.objects()["Deployment/shop-blue"].inputs["spec"]["strategy"]["type"] == "Recreate"


def test_a_deployment_names_the_migration_that_it_was_deployed_after() -> None:
    objects = run(ONE_COLOR | {"blue:migrate": "/migrate"}).objects()
    [job] = [each for each in objects if each.startswith("Job/")]
    noted = objects["Deployment/shop-blue"].inputs["metadata"]["annotations"]
    assert noted[metadata.MIGRATION] == objects[job].inputs["metadata"]["name"]
    without = run(ONE_COLOR).objects()["Deployment/shop-blue"].inputs["metadata"]["annotations"]
    assert metadata.MIGRATION not in without


def test_the_time_of_a_migration_begins_when_a_node_has_accepted_its_pod() -> None:
    """A Job's own deadline counts from its creation, so a pod that waits for a node would use it up."""
    objects = run(ONE_COLOR | {"blue:migrate": "/migrate", "blue:migrateTimeoutSeconds": "9"}).objects()
    [spec] = [each.inputs["spec"] for name, each in objects.items() if name.startswith("Job/")]
    assert "activeDeadlineSeconds" not in spec
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 9


@pytest.mark.parametrize("name", ["Deployment/shop-blue", "Job/shop-blue-migrate"])
def test_what_has_pods_gives_its_name_back_before_they_have_left(name: str) -> None:
    objects = run(ONE_COLOR | {"blue:migrate": "/migrate"}).objects()
    [made] = [each for each in objects if each.startswith(name)]
    assert objects[made].inputs["metadata"]["annotations"]["pulumi.com/deletionPropagationPolicy"] == "background"


@pytest.mark.parametrize(
    ("replicas", "most", "protected"), [("1", "0", False), ("1", "1", False), ("2", "0", True), ("1", "2", True)]
)
def test_a_disruption_budget_exists_where_there_may_be_two_pods(replicas: str, most: str, protected: bool) -> None:
    deployed = run(ONE_COLOR | {"blue:replicas": replicas, "blue:maxReplicas": most})
    assert ("PodDisruptionBudget/shop-blue-budget" in deployed.objects()) == protected


def test_a_disruption_budget_lets_pods_go_that_are_not_ready() -> None:
    spec = run(ONE_COLOR | {"blue:replicas": "2"}).objects()["PodDisruptionBudget/shop-blue-budget"].inputs["spec"]
    assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")


def test_no_pod_stops_before_another_one_is_ready_unless_recreate_is_asked_for() -> None:
    strategies = [
        run(ONE_COLOR | change).objects()["Deployment/shop-blue"].inputs["spec"]["strategy"] for change in ({}, RECREATE)
    ]
    assert strategies == [
        {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}},
        {"type": "Recreate"},
    ]


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    deployed = run(ONE_COLOR | {"blue:replicas": "2", "blue:maxReplicas": "5"})
    spec = deployed.objects()["HorizontalPodAutoscaler/shop-blue-autoscaler"].inputs["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 5)
    assert list(deployed.objects()["Deployment/shop-blue"].request.ignoreChanges) == ["spec.replicas"]


def test_an_autoscaler_that_may_do_nothing_is_a_warning_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi, "warn", said.append)
    run(ONE_COLOR | {"blue:maxReplicas": "5"})
    assert [warning.partition(",")[0] for warning in said] == ["blue:maxReplicas is 5"]


def test_without_an_autoscaler_a_change_of_the_number_is_not_ignored() -> None:
    assert list(run(ONE_COLOR).objects()["Deployment/shop-blue"].request.ignoreChanges) == []


SECRET = {"blue:secretEnv": '{"DB_PASSWORD": "hunter2"}'}


def test_a_secret_variable_reaches_the_pod_by_reference_and_the_engine_as_a_secret() -> None:
    deployed = run(ONE_COLOR | SECRET)
    [key] = objects(deployed, "Secret")
    secret = deployed.objects()[key]
    (source,) = container(deployed, "blue")["envFrom"]
    assert source == {"secretRef": {"name": secret.inputs["metadata"]["name"]}}
    assert secret.raw["stringData"]["4dabf18193072939515e22adb298388d"]  # how the wire format marks a secret
    plain = [each for name, each in deployed.resources.items() if name != key]
    assert "hunter2" not in json.dumps([each.raw for each in plain])


@pytest.mark.parametrize("key", ["blue:env", "blue:secretEnv"])
def test_variables_are_in_objects_named_by_what_they_hold(key: str) -> None:
    names = [container(run(ONE_COLOR | {key: json.dumps({"A": value})}), "blue")["envFrom"] for value in "112"]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(("key", "suffix"), [("blue:env", "-env"), ("blue:secretEnv", "-secret-env")])
def test_other_values_are_another_resource_under_the_name_of_the_object(key: str, suffix: str) -> None:
    """Then the engine creates the new object before the pods, and deletes the old one at the end of a good update alone."""
    kind = "Secret" if key.endswith("secretEnv") else "ConfigMap"
    made = [run(ONE_COLOR | {key: json.dumps({"A": value})}).objects() for value in "12"]
    [first, second] = [next(each for each in one.values() if each.kind == kind) for one in made]
    assert first.name != second.name
    assert first.name == first.inputs["metadata"]["name"]
    # The version before knew one resource for all values: a stack of it goes on without a replacement.
    assert [alias.spec.name for alias in first.request.aliases] == [f"shop-blue{suffix}"]


REFERRED = {"bluegreen:secretRefs": '["vault"]', "blue:configMapRefs": '["flags"]', "blue:env": '{"A": "1"}'} | SECRET


def test_existing_objects_reach_the_pods_and_the_migration_and_the_values_of_the_config_win() -> None:
    deployed = run(ONE_COLOR | REFERRED | {"blue:migrate": "/migrate"})
    [job] = objects(deployed, "Job")
    containers = [container(deployed, "blue"), deployed.objects()[job].inputs["spec"]["template"]["spec"]["containers"][0]]
    for each in containers:
        sources = [(kind, name["name"]) for source in each["envFrom"] for kind, name in source.items()]
        assert sources[:2] == [("configMapRef", "flags"), ("secretRef", "vault")]  # the last source of a variable wins
        assert [kind for kind, _ in sources[2:]] == ["configMapRef", "secretRef"]
    assert len(objects(deployed, "ConfigMap") | objects(deployed, "Secret")) == 2  # none of them is made for the references


def test_a_reference_of_one_color_leaves_the_other_alone() -> None:
    assert changed(run(BOTH_COLORS), run(BOTH_COLORS | {"green:secretRefs": '["vault"]'})) == {"Deployment/shop-green"}


def test_the_pod_knows_its_color() -> None:
    deployed = run(BOTH_COLORS)
    assert [container(deployed, color)["env"] for color in ("blue", "green")] == [
        [{"name": "COLOR", "value": "blue"}],
        [{"name": "COLOR", "value": "green"}],
    ]


FOUND = ["test=true", "a=b; test=true", "a=b;test=true", "test=true; a=b", "a=b; test=true; c=d", "test=true ;a=b"]
NOT_FOUND = [
    "",
    "mytest=true",
    "a=b; mytest=true",
    "test=trueish",
    "test=true2; a=b",
    "a=test=true",
    "test=TRUE",
    "test",
]


@pytest.mark.parametrize(("cookies", "is_test"), [*((each, True) for each in FOUND), *((each, False) for each in NOT_FOUND)])
def test_the_test_cookie_is_found_among_others_and_not_in_others(cookies: str, is_test: bool) -> None:
    assert bool(re.fullmatch(cookie_pattern("test=true"), cookies)) == is_test


def test_a_dot_in_the_cookie_is_a_dot() -> None:
    assert not re.fullmatch(cookie_pattern("v=1.0"), "v=1x0")


def test_the_outputs_say_who_serves_whom_and_what_comes_next() -> None:
    outputs = run(BOTH_COLORS | {"bluegreen:host": "shop.example"}).outputs
    assert (outputs["activeColor"], outputs["testColor"]) == ("blue", "green")
    assert outputs["images"] == {"blue": "registry.example/shop:1.0", "green": "registry.example/shop:2.0"}
    assert outputs["url"] == "http://shop.example"
    assert outputs["test"] == "curl --cookie test=true http://shop.example"
    assert "pulumi config set activeColor green" in outputs["next"]["activate"]


STEPS = {
    "one color": (ONE_COLOR, {"deploy": "green"}),
    "both, none tested": (BOTH_COLORS | {"bluegreen:testColor": ""}, {"test": "green", "decommission": "green"}),
    "both, one tested": (BOTH_COLORS, {"activate": "green", "decommission": "green"}),
    "switched": (SWITCHED, {"activate": "blue", "decommission": "blue"}),
}


@pytest.mark.parametrize(("config", "steps"), STEPS.values(), ids=STEPS)
def test_the_next_steps_are_those_that_the_position_allows(config: dict[str, str], steps: dict[str, str]) -> None:
    offered = run(config).outputs["next"]
    assert set(offered) == set(steps)
    assert all(color in offered[step] for step, color in steps.items())


def test_a_program_that_the_engine_interrupts_ends_without_a_traceback() -> None:
    assert run(ONE_COLOR).on_interrupt is signal.SIG_DFL


def test_a_config_error_is_shown_without_a_traceback_and_registers_nothing() -> None:
    with pytest.raises(pulumi.RunError, match=r"bluegreen:routing: dns"):
        run(ONE_COLOR | {"bluegreen:routing": "dns"})

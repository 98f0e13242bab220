"""A missing right is reported in a sentence, and a right to delete without the right to list is detected."""

import asyncio
import json
from typing import Any
from unittest import mock

import pulumi
import pytest
import yaml

from bluegreen.cli.outcomes import Exit
from bluegreen.cli.updates import Record, UpdateError
from bluegreen.gate.check import Gate
from bluegreen.gate.hooks import Hooks, Judge
from bluegreen.kube.client import Client
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.kubeconfig import ClusterConfig
from bluegreen.kube.rights import deleted_without_end, missing
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live
from bluegreen.release.transition import Transition
from bluegreen.routing import istio
from tests.engine.rights import RBAC, Right, rules
from tests.unit.api_server import api_server
from tests.unit.program import BOTH_COLORS

# An error of the provider contains the API server's message.
REFUSED = (
    'resource "urn:pulumi:prod::bluegreen::kubernetes:core/v1:ConfigMap::shop-blue-env" was not successfully created by the '
    'Kubernetes API server: configmaps "shop-blue-env-1" is forbidden: User "system:serviceaccount:shop:bluegreen-release" '
    'cannot patch resource "configmaps" in API group "" in the namespace "shop"'
)
LACKS = "system:serviceaccount:shop:bluegreen-release has no right to patch configmaps in namespace shop"


def test_a_missing_right_of_the_provider_is_reported_with_verb_resource_namespace_and_file() -> None:
    record = Record(errors=[REFUSED, REFUSED])
    message = str(UpdateError(Exit.ERROR, "", record))
    assert message.count(LACKS) == 1
    assert "examples/rbac/" in message


@pytest.mark.parametrize("text", ["", "configmaps is forbidden", 'User "x" cannot do this'])
def test_another_error_reports_no_missing_right(text: str) -> None:
    assert missing(text) == []
    assert str(UpdateError(Exit.ERROR, "", Record(errors=[text] if text else []))) == text


def rule(verbs: str, resources: str = "configmaps", groups: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "resources": resources.split(), "apiGroups": groups.split(",")} | more


DELETES = rule("get delete")
ENDLESS = ["configmaps"]


@pytest.mark.parametrize(
    ("rules", "kinds"),
    [
        ([], []),
        ([DELETES], ENDLESS),
        ([rule("delete", resourceNames=["one"])], ENDLESS),
        ([DELETES, rule("list")], []),
        ([DELETES, rule("*", "*", "*")], []),
        ([DELETES, rule("list", resourceNames=["one"])], ENDLESS),
        ([DELETES, rule("list", groups="apps")], ENDLESS),
        ([rule("delete", "deployments", "apps"), rule("delete", "jobs", "batch")], []),
        ([rule("delete", "gateways", "networking.istio.io")], ["gateways.networking.istio.io"]),
        ([rule("*", "*", "*")], []),
        ([rule("delete", "nodes")], []),
        (["nonsense"], []),
        ([{"verbs": None}], []),
    ],
)
def test_a_kind_that_may_be_deleted_but_not_listed_is_reported(rules: list[Any], kinds: list[str]) -> None:
    assert deleted_without_end({"resourceRules": rules}, istio.APIS) == kinds


@pytest.mark.parametrize("more", [{"incomplete": True}, {"evaluationError": "webhook"}])
def test_an_incomplete_review_of_rights_refuses_nothing(more: dict[str, Any]) -> None:
    assert deleted_without_end({"resourceRules": [DELETES], **more}, istio.APIS) == []


def test_the_rights_are_reviewed_for_the_namespace() -> None:
    status = {"resourceRules": [DELETES], "incomplete": False}
    with api_server(lambda _: (201, {"status": status})) as (url, requests):
        assert Client(ClusterConfig(cluster={"server": url}, user={}), "shop").rights() == status
    [request] = requests
    assert (request.method, json.loads(request.body)["spec"]) == ("POST", {"namespace": "shop"})


class Cluster:
    """A cluster whose account has these rights, and may read no single object."""

    def __init__(self, review: Any) -> None:
        self._review = review

    def live(self) -> Live:
        return Live()

    def parts(self) -> dict[Any, Any]:
        return {}

    def list_everywhere(self, *_: str) -> list[Any]:
        return []

    def rights(self) -> Any:
        if isinstance(self._review, LiveError):
            raise self._review
        return self._review

    def get(self, *_: str) -> Any:
        raise LiveError("shop:bluegreen-plan has no right to get secrets")


def check(review: Any) -> None:
    cluster: Any = Cluster(review)
    asyncio.run(Gate(read_settings(BOTH_COLORS), cluster, "a/b/c").check())


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(pulumi, "warn", messages.append)
    return messages


def in_a_preview(monkeypatch: pytest.MonkeyPatch, *, is_it: bool) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: is_it)


def test_an_update_that_would_wait_for_ever_for_a_deletion_is_refused_but_not_in_preview(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_a_preview(monkeypatch, is_it=False)
    with pytest.raises(pulumi.RunError, match="no right to list configmaps in namespace default") as refused:
        check({"resourceRules": [DELETES]})
    assert "examples/rbac/" in str(refused.value)
    check(LiveError("the API server does not say"))
    in_a_preview(monkeypatch, is_it=True)
    check({"resourceRules": [DELETES]})


def created(cluster: Any) -> None:
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "shop-blue-secret-env-1"}}
    arguments: Any = type("Arguments", (), {"new_inputs": inputs})

    async def ask() -> None:
        hook = Hooks(cluster, Judge([]), "a/b/c", Transition(moves=None, changes=(), refusals=())).creation
        result: Any = hook.callback(arguments)
        await result

    with mock.patch("pulumi.resource_hooks.register_resource_hook"):
        asyncio.run(ask())


def test_a_preview_warns_about_an_object_that_it_may_not_read_and_an_update_fails(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    in_a_preview(monkeypatch, is_it=True)
    created(Cluster({}))
    [warning] = warnings
    assert "no right to get secrets" in warning
    assert "Secret shop-blue-secret-env-1" in warning
    in_a_preview(monkeypatch, is_it=False)
    with pytest.raises(LiveError):
        created(Cluster({}))


# The files of examples/rbac/


def given(name: str) -> set[Right]:
    return {right for rule in rules(name) for right in rule.rights}


def test_release_yaml_grants_every_right_of_the_other_files() -> None:
    assert given("plan") - given("release") == set()
    assert given("rollback") - given("release") == set()


def test_plan_yaml_grants_no_write_and_no_access_to_secrets() -> None:
    assert {right.verb for right in given("plan")} <= {"get", "list"}
    assert {right.resource for right in given("plan")} & {"secrets", "pods/log", "*"} == set()


def test_rollback_yaml_grants_writing_only_a_route() -> None:
    written = {right.resource for right in given("rollback") if right.verb not in ("get", "list", "watch")}
    assert written == {"virtualservices", "services"}


@pytest.mark.parametrize("name", ["plan", "release", "rollback"])
def test_every_file_binds_one_account_of_the_namespace_to_one_role(name: str) -> None:
    account, binding, role = yaml.safe_load_all((RBAC / f"{name}.yaml").read_text())
    assert [item["kind"] for item in (account, binding, role)] == ["ServiceAccount", "RoleBinding", "Role"]
    assert {item["metadata"]["name"] for item in (account, binding, role)} == {f"bluegreen-{name}"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": f"bluegreen-{name}", "namespace": "my-namespace"}]


@pytest.mark.parametrize("name", ["release"])
def test_every_kind_that_may_be_deleted_may_be_listed(name: str) -> None:
    listed = [{"verbs": [right.verb], "resources": [right.resource], "apiGroups": [right.group]} for right in given(name)]
    assert deleted_without_end({"resourceRules": listed}, istio.APIS) == []

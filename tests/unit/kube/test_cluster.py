"""Live objects are read safely, whatever their shape, and by concurrent threads."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.environment import LiveEnvironment
from bluegreen.kube.client import ApiError, Client
from bluegreen.kube.cluster import LiveError
from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError
from bluegreen.release.live import LiveColor, is_of_app, live_color
from bluegreen.release.metadata import APP, TEMPLATE
from bluegreen.release.objects import is_terminating
from bluegreen.routing import istio
from tests.cluster import ROOT
from tests.unit.api_server import Request, Response, api_server, kubeconfig, status
from tests.unit.program import SHOP

# One thread per kind, with the shortest possible switch interval.
READ_CONCURRENTLY = """
import sys, threading
from bluegreen.environment import LiveEnvironment
from bluegreen.release.settings import ServiceSettings

sys.setswitchinterval(1e-6)
cluster = LiveEnvironment(context="", namespace="any", service=ServiceSettings(name="myapp", colors={}), routing="istio")
kinds = [("apps/v1", "Deployment"), ("v1", "Service"), ("v1", "ConfigMap"), ("policy/v1", "PodDisruptionBudget")] * 2
together = threading.Barrier(len(kinds))

def read(version, kind):
    together.wait()
    cluster.get(version, kind, "any")
    cluster.list_objects(version, kind, app="myapp")

threads = [threading.Thread(target=read, args=kind) for kind in kinds]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_can_read_at_once(tmp_path: Path) -> None:
    item = {"kind": "Any", "metadata": {"name": "any", "labels": {"app": "myapp"}, "creationTimestamp": "2026-01-01T00:00:00Z"}}

    def answer(request: Request) -> Response:
        return 200, {"metadata": {"resourceVersion": "1"}, "items": [item]} if "?" in request.path else item

    with api_server(answer) as (url, _):
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(kubeconfig("c", url, current="c")))
        ran = subprocess.run(
            [sys.executable, "-c", READ_CONCURRENTLY],
            cwd=ROOT,
            env={"KUBECONFIG": str(file)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (0, "")


def deployment(*containers: tuple[str, str], **status: int) -> dict[str, object]:
    """A Deployment of the app `shop` with two wanted pods, all of them ready but for `status`."""
    counts = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2} | status
    listed = [{"name": name, "image": image} for name, image in containers]
    return {
        "metadata": {"name": "shop-blue", "generation": 3, "labels": {"app": "shop", "color": "blue"}},
        "spec": {"replicas": 2, "template": {"spec": {"containers": listed}}},
        "status": counts,
    }


@pytest.mark.parametrize(
    ("containers", "image"),
    [
        pytest.param([("shop", "shop:2")], "shop:2", id="alone"),
        pytest.param([("istio-proxy", "proxy:1"), ("shop", "shop:2")], "shop:2", id="behind an injected container"),
        pytest.param([("web", "shop:2"), ("log", "log:1")], "shop:2", id="of a Deployment that others have made"),
        pytest.param([], "", id="no container"),
    ],
)
def test_the_image_of_a_color_is_that_of_the_container_named_like_the_app(
    containers: list[tuple[str, str]], image: str
) -> None:
    assert live_color(deployment(*containers)).image == image


@pytest.mark.parametrize(
    ("status", "is_ready"),
    [
        ({}, True),
        ({"readyReplicas": 1}, False),
        ({"observedGeneration": 2}, False),
        ({"updatedReplicas": 1}, False),
        ({"replicas": 3}, False),
    ],
)
def test_a_color_is_ready_when_all_wanted_pods_have_the_current_template_and_are_ready(
    status: dict[str, int], is_ready: bool
) -> None:
    assert live_color(deployment(("shop", "shop:2"), **status)).is_ready is is_ready


@pytest.mark.parametrize(("available", "is_ready"), [(1, False), (2, True)])
def test_a_pod_that_is_ready_for_less_than_min_ready_seconds_does_not_count_as_ready(available: int, is_ready: bool) -> None:
    item: dict[str, Any] = deployment(("shop", "shop:2"), availableReplicas=available)
    item["spec"]["minReadySeconds"] = 10
    color = live_color(item)
    assert (color.is_ready, color.ready) == (is_ready, available)


@pytest.mark.parametrize(
    ("name", "labels", "is_ours"),
    [
        ("shop-blue", {"app": "web", "color": "blue"}, True),
        ("other", {"app": "shop", "color": "blue"}, True),
        ("other-blue", {"app": "shop", "color": "blue", APP: "other"}, False),
        ("shop-blue", {"app": "web", "color": "blue", APP: "shop"}, True),
        ("other-blue", {"color": "blue"}, False),
    ],
)
def test_a_deployment_is_a_color_of_the_application_by_its_name_or_its_labels(
    name: str, labels: dict[str, str], is_ours: bool
) -> None:
    assert is_of_app("shop", {"metadata": {"name": name, "labels": labels}}) is is_ours


_NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 4) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["name", "image", "spec"]), inner, max_size=2),
    max_leaves=5,
)


@st.composite
def _damaged(draw: st.DrawFn) -> dict[str, object]:
    """A Deployment with some values replaced by nonsense."""
    item: dict[str, object] = json.loads(json.dumps(deployment(("sidecar", "s:1"), ("shop", "shop:2"))))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = item
        while isinstance(place, dict | list) and place:
            key = draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                place[key] = draw(_NONSENSE)
                break
            place = place[key]
    return item


def cluster_of(url: str) -> LiveEnvironment:
    cluster = LiveEnvironment(context="", namespace="prod", service=SHOP, routing="istio")
    cluster._client = Client(ClusterConfig(cluster={"server": url}, user={}), "prod", apis=istio.APIS)
    return cluster


@pytest.mark.parametrize(
    ("present", "shown"),
    [("now\n", ["now"]), ("", ["before"]), (None, ["before"])],
    ids=["it has written", "it has written nothing", "it does not run"],
)
def test_the_log_is_that_of_the_previous_run_while_the_current_one_is_empty(present: str | None, shown: list[str]) -> None:
    def answer(request: Request) -> Response:
        assert "container=shop" in request.path
        if "previous=true" in request.path:
            return 200, "before\n"
        return (200, present) if present is not None else (400, {"message": "container is waiting to start"})

    with api_server(answer) as (url, _):
        assert cluster_of(url).log("shop-green-1", "shop") == shown


def test_the_pods_of_a_deployment_have_its_current_template_and_are_not_terminating() -> None:
    labels = {"app": "shop", "kind": "web"}
    wanted = {"metadata": {"annotations": {TEMPLATE: "new"}}, "spec": {"selector": {"matchLabels": labels}}}
    sets = [
        {"metadata": {"name": name, "annotations": {TEMPLATE: name}, "labels": {"pod-template-hash": name}}}
        for name in ("old", "new")
    ]
    pods = [{"metadata": {"name": "a"}}, {"metadata": {"name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}}]

    def answer(request: Request) -> Response:
        assert "labelSelector=app%3Dshop%2Ckind%3Dweb" in request.path
        if "replicasets" in request.path:
            return 200, {"items": [*sets, {"metadata": {"name": "c", "annotations": {TEMPLATE: "new"}}}]}
        return 200, {"items": pods if "hash%3Dnew" in request.path else []}

    with api_server(answer) as (url, _):
        cluster = cluster_of(url)
        newest = cluster.replica_sets(wanted)
        assert newest[0] == sets[1]
        assert [pod["metadata"]["name"] for pod in cluster.pods(wanted, newest)] == ["a"]


@given(st.lists(_NONSENSE, max_size=3), _NONSENSE)
def test_malformed_events_and_deployments_are_read_or_raise_live_error(more: list[Any], odd: Any) -> None:
    items = [{"reason": odd, "message": odd, "lastTimestamp": odd, "metadata": odd, "spec": {"selector": odd}}, *more]
    cluster = LiveEnvironment(context="", namespace="prod", service=SHOP, routing="istio")
    client: Any = SimpleNamespace(list_objects=lambda *_, **__: [*items])
    cluster._client = client
    assert all(isinstance(line, str) for line in cluster.events("any"))
    for item in items:
        with contextlib.suppress(LiveError):
            cluster.pods(item, cluster.replica_sets(item))


@given(_damaged())
def test_a_malformed_deployment_is_read_as_a_color(item: dict[str, object]) -> None:
    color = live_color(item)
    assert isinstance(color.image, str)
    assert not color.is_ready or color.ready >= color.replicas > 0
    assert is_terminating(item) in (True, False)


def without_istio(request: Request) -> Response:
    """A cluster without the CRDs of Istio, and without any Deployment."""
    if request.path == "/version":
        return 200, {"gitVersion": "v1.35.4"}
    return (200, {"items": []}) if "/deployments?" in request.path else status(404, "NotFound", "could not find the resource")


def test_routing_istio_without_its_crds_is_an_error_with_advice() -> None:
    with api_server(without_istio) as (url, _), pytest.raises(LiveError) as raised:
        cluster_of(url).live()
    assert str(raised.value) == (
        "Could not read VirtualService shop-blue-green in namespace prod (the current context): the cluster does not have the "
        "kind VirtualService of networking.istio.io/v1: the CRDs of Istio are not installed. Install Istio, or set "
        "bluegreen:routing to selector"
    )


@pytest.mark.parametrize("bug", [KeyError("name"), TypeError("None"), AssertionError()], ids=lambda bug: type(bug).__name__)
def test_a_bug_in_our_code_is_not_reported_as_an_unreadable_cluster(bug: Exception) -> None:
    def fails(*_: object) -> None:
        raise bug

    cluster = LiveEnvironment(context="", namespace="prod", service=SHOP, routing="istio")
    client: Any = SimpleNamespace(get=fails)
    cluster._client = client
    with pytest.raises(type(bug)):
        cluster.get("v1", "Service", "shop")


@pytest.mark.parametrize("error", [ApiError("forbidden"), KubeconfigError("no such context")], ids=lambda error: str(error))
def test_an_error_of_the_client_is_a_live_error(error: Exception) -> None:
    def fails(*_: object) -> None:
        raise error

    cluster = LiveEnvironment(context="prod", namespace="prod", service=SHOP, routing="istio")
    client: Any = SimpleNamespace(get=fails)
    cluster._client = client
    with pytest.raises(LiveError, match=rf"^Could not read Service shop in namespace prod \(context prod\): {error}$"):
        cluster.get("v1", "Service", "shop")


MANAGED: dict[str, Any] = {
    "f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"shop"}': {"f:image": {}}}}}},
}


def written(image: str, *managers: str, requested: str = "shop:2") -> LiveColor:
    """A color whose image field the `managers` own; the program has requested the image `requested`."""
    item: Any = deployment(("shop", image))
    item["metadata"]["annotations"] = {"bluegreen/image": requested}
    item["metadata"]["managedFields"] = [{"manager": name, "fieldsV1": MANAGED} for name in managers]
    return live_color(item)


DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize("image", [f"mirror.example/shop@{DIGEST}", f"shop@{DIGEST}", f"mirror.example/cache/shop:2@{DIGEST}"])
def test_an_image_that_no_other_manager_wrote_is_the_requested_one_whatever_its_name(image: str) -> None:
    color = written(image, "bluegreen")
    assert color.runs("shop:2")
    assert not color.runs("shop:3")
    assert color.called == f"shop:2@{DIGEST}"


@pytest.mark.parametrize("managers", [("kubectl-set",), ("bluegreen", "kubectl-set"), ()])
def test_an_image_that_another_manager_wrote_is_another_image(managers: tuple[str, ...]) -> None:
    color = written(f"shop@{DIGEST}", *managers)
    assert not color.runs("shop:2")
    assert color.called == f"shop@{DIGEST}"


def test_the_requested_image_is_shown_by_its_own_name() -> None:
    assert written("shop:2", "bluegreen").called == "shop:2"

"""The client reads and writes objects, and retries transient failures."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bluegreen.kube.client import LONGEST_SECONDS, ApiError
from tests.unit.api_server import FakeTime, Request, Response, api_server, client, status

OBJECT = {"metadata": {"name": "myapp"}}
TEST = {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
REPLACE = {"op": "replace", "path": "/spec/selector/color", "value": "blue"}


def in_turn(*responses: Response) -> Callable[[Request], Response]:
    """Responds with these in turn, and then with the last one again."""
    rest = list(responses)
    return lambda _: rest.pop(0) if len(rest) > 1 else rest[0]


def reads(api: Any) -> Any:
    return api.get("v1", "Service", "myapp")


def lists(api: Any) -> Any:
    return api.list_objects("v1", "Service") == []


def patches(api: Any) -> Any:
    return api.patch("v1", "Service", "myapp", [TEST, REPLACE], "bluegreen")


def patches_blindly(api: Any) -> Any:
    return api.patch("v1", "Service", "myapp", [REPLACE], "bluegreen")


# Requests


def test_an_object_that_does_not_exist_is_none() -> None:
    answer = status(404, "NotFound", "not found", name="myapp", group="networking.istio.io", kind="virtualservices")
    with api_server(lambda _: answer) as (url, requests):
        assert client(url).get("networking.istio.io/v1", "VirtualService", "myapp") is None
    assert [request.path for request in requests] == ["/apis/networking.istio.io/v1/namespaces/prod/virtualservices/myapp"]


def test_a_server_url_may_have_a_path() -> None:
    with api_server() as (url, requests):
        client(url + "/k8s/clusters/c-1/").get("v1", "Service", "myapp")
    assert requests[0].path == "/k8s/clusters/c-1/api/v1/namespaces/prod/services/myapp"


def test_objects_are_listed_by_selectors() -> None:
    with api_server(lambda _: (200, {"items": [{"metadata": {"name": "blue"}}]})) as (url, requests):
        assert client(url).list_objects("apps/v1", "Deployment", labelSelector="app=myapp,color") == [
            {"metadata": {"name": "blue"}}
        ]
    assert requests[0].path == "/apis/apps/v1/namespaces/prod/deployments?labelSelector=app%3Dmyapp%2Ccolor"


def test_a_log_returns_its_last_lines() -> None:
    with api_server(lambda _: (200, "one\ntwo \u00fc\n")) as (url, requests):
        assert client(url).log("blue-1", last=2) == ["one", "two \u00fc"]
        client(url).log("blue-1", 2, "setup", previous=True)
    paths = ["?tailLines=2", "?tailLines=2&container=setup&previous=true"]
    assert [request.path for request in requests] == [f"/api/v1/namespaces/prod/pods/blue-1/log{path}" for path in paths]


def test_a_json_patch_names_its_field_manager_and_returns_the_object_as_written() -> None:
    written = {"metadata": {"name": "myapp", "resourceVersion": "8"}}
    with api_server(lambda _: (200, written)) as (url, requests):
        assert client(url).patch("v1", "Service", "myapp", [TEST, REPLACE], "bluegreen") == written
    assert (requests[0].method, json.loads(requests[0].body)) == ("PATCH", [TEST, REPLACE])
    assert requests[0].path == "/api/v1/namespaces/prod/services/myapp?fieldManager=bluegreen"
    assert requests[0].headers["Content-Type"] == ["application/json-patch+json"]


@pytest.mark.parametrize("request_of", [reads, lists, patches])
@pytest.mark.parametrize("code", [302, 304, 307])
def test_only_2xx_is_success(code: int, request_of: Callable[[Any], Any]) -> None:
    redirect = (code, "", {"Location": "https://login.example/"})
    with api_server(lambda _: redirect) as (url, requests), pytest.raises(ApiError, match=r"login\.example") as raised:
        request_of(client(url))
    assert (raised.value.status, raised.value.is_uncertain, len(requests)) == (code, False, 1)


@pytest.mark.parametrize("page", ["<html>Log in</html>", "", "[]", "{}"], ids=["a page", "nothing", "a list", "no object"])
def test_a_write_whose_response_is_not_an_object_is_an_uncertain_failure(page: str) -> None:
    with (
        api_server(lambda _: (200, page)) as (url, _),
        pytest.raises(ApiError, match="not from a Kubernetes API") as raised,
    ):
        patches(client(url))
    assert raised.value.is_uncertain


# Kinds

API_RESOURCES = {
    "resources": [
        {"name": "networkpolicies", "kind": "NetworkPolicy", "namespaced": True},
        {"name": "networkpolicies/status", "kind": "NetworkPolicy", "namespaced": True},
        {"name": "ingressclasses", "kind": "IngressClass", "namespaced": False},
    ]
}


def cluster_with(groups: dict[str, Any]) -> Callable[[Request], Response]:
    """A cluster with these API versions, in which no object exists."""

    def answer(request: Request) -> Response:
        if request.path == "/version":
            return 200, {"gitVersion": "v1.35.4"}
        if request.path in groups:
            return 200, groups[request.path]
        plural, _, name = request.path.partition("?")[0].rpartition("/namespaces/prod/")[2].partition("/")
        if plural in {resource["name"] for group in groups.values() for resource in group["resources"]}:
            return status(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)
        return status(404, "NotFound", "the server could not find the requested resource")

    return answer


def test_the_plural_and_scope_of_another_kind_come_from_the_cluster_in_one_request() -> None:
    with api_server(cluster_with({"/apis/networking.k8s.io/v1": API_RESOURCES})) as (url, requests):
        api = client(url)
        assert api.get("networking.k8s.io/v1", "NetworkPolicy", "myapp") is None
        with pytest.raises(ApiError):  # it does not exist; the test is about the URL
            api.get("networking.k8s.io/v1", "IngressClass", "nginx")
    assert [request.path for request in requests][:3] == [
        "/apis/networking.k8s.io/v1",
        "/apis/networking.k8s.io/v1/namespaces/prod/networkpolicies/myapp",
        "/apis/networking.k8s.io/v1/ingressclasses/nginx",
    ]


@pytest.mark.parametrize(
    ("groups", "api_version", "kind"),
    [
        ({"/apis/networking.k8s.io/v1": API_RESOURCES}, "networking.k8s.io/v1", "Ingress"),
        ({}, "example.com/v1", "Database"),
        ({}, "networking.istio.io/v1", "VirtualService"),
        ({"/apis/networking.istio.io/v1": {"resources": []}}, "networking.istio.io/v1", "VirtualService"),
    ],
    ids=["version without the kind", "no such version", "no Istio", "Istio without this CRD"],
)
def test_a_kind_that_the_cluster_does_not_have_is_an_error_and_not_a_missing_object(
    groups: dict[str, Any], api_version: str, kind: str
) -> None:
    words = f"does not have the kind {kind} of {api_version}" + (": the CRDs of Istio" if "istio" in api_version else "$")
    with api_server(cluster_with(groups)) as (url, _):
        api = client(url)
        with pytest.raises(ApiError, match=words):
            api.get(api_version, kind, "myapp")
        with pytest.raises(ApiError, match=words):
            api.list_objects(api_version, kind)
        with pytest.raises(ApiError, match=words):
            api.patch(api_version, kind, "myapp", [TEST], "bluegreen")


@pytest.mark.parametrize("body", ["404 page not found", "<html></html>", "", "[]"])
def test_a_404_from_a_proxy_proves_nothing_about_an_object_or_a_kind(body: str) -> None:
    with api_server(lambda _: (404, body)) as (url, _):
        for kind in ("Service", "Unheard"):
            with pytest.raises(ApiError, match=r"^HTTP status 404") as raised:
                client(url).get("v1", kind, "myapp")
            assert raised.value.status == 404


def test_a_404_about_another_object_is_an_error() -> None:
    answer = status(404, "NotFound", 'namespaces "prod" not found', name="prod", kind="namespaces")
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match='namespaces "prod" not found'):
        client(url).get("v1", "Service", "myapp")


# The time of the API server

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dated(header: str) -> Callable[[Request], Response]:
    return lambda _: (200, OBJECT, {"Date": header})


def test_the_current_time_is_that_of_the_latest_response_plus_the_time_since() -> None:
    time = FakeTime()
    with api_server(dated("Thu, 01 Jan 2026 12:00:00 GMT")) as (url, requests):
        api = client(url, time=time)
        api.get("v1", "Service", "myapp")
        time.seconds += 7.5
        assert api.now() == NOON + timedelta(seconds=7.5)
    assert len(requests) == 1


def test_the_current_time_costs_a_request_only_before_the_first_response() -> None:
    with api_server(dated("Thu, 01 Jan 2026 13:00:00 +0100")) as (url, requests):
        assert client(url).now() == NOON
    assert [request.path for request in requests] == ["/version"]


@pytest.mark.parametrize("header", ["", "soon", "Thu, 99 Jan 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_without_a_valid_date_header_the_current_time_is_that_of_this_machine(header: str) -> None:
    before = datetime.now(UTC)
    with api_server(dated(header)) as (url, _):
        assert before <= client(url).now() <= datetime.now(UTC)


# Failures


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (status(409, "Conflict", "the object has been modified"), "^the object has been modified$"),
        (status(403, "Forbidden", "exceeded quota: pods"), "^exceeded quota: pods$"),
        (status(401, "Unauthorized", "Unauthorized"), "^Unauthorized: the API server rejects the credentials"),
        ((400, "bad request"), "^HTTP status 400: bad request$"),
        ((400, ""), "^HTTP status 400$"),
    ],
)
def test_an_error_contains_the_servers_message(answer: Response, message: str) -> None:
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match=message):
        client(url).get("v1", "Service", "myapp")


def forbidden(resource: str, group: str, where: str) -> Response:
    message = (
        f'x is forbidden: User "system:serviceaccount:ci:bot" cannot patch resource "{resource}" in API group "{group}"{where}'
    )
    return status(403, "Forbidden", message)


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (forbidden("services", "", ' in the namespace "prod"'), "to patch services in namespace prod"),
        (forbidden("deployments", "apps", ' in the namespace "prod"'), "to patch deployments.apps in namespace prod"),
        (forbidden("pods/log", "", ' in the namespace "prod": RBAC: no'), "to patch pods/log in namespace prod"),
        (forbidden("nodes", "", " at the cluster scope"), "to patch nodes in the whole cluster"),
    ],
)
def test_a_missing_right_is_reported_with_verb_resource_and_namespace(answer: Response, right: str) -> None:
    words = f"^system:serviceaccount:ci:bot has no right {right}; examples/rbac/ has a Role for each kind of command: "
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match=words):
        client(url).get("v1", "Service", "myapp")


def test_an_unreachable_server_is_an_error_with_its_url() -> None:
    with pytest.raises(ApiError, match=r"^http://127.0.0.1:1 did not respond: .*refused \(6 attempts\)$"):
        client("http://127.0.0.1:1").get("v1", "Service", "myapp")


# Transient failures

BUSY = (429, "busy", {"Retry-After": "1"})
CLOSING = (503, "shutting down", {"Retry-After": "5"})


@pytest.mark.parametrize("request_of", [reads, lists, patches])
@pytest.mark.parametrize(
    ("passing", "pause"),
    [(BUSY, 1), (CLOSING, 5), ((429, ""), 0.2), ((500, ""), 0.2), ((502, ""), 0.2), ((503, ""), 0.2), ((504, ""), 0.2)],
    ids=["429 with Retry-After", "503 with Retry-After", "429", "500", "502", "503", "504"],
)
def test_a_response_of_a_busy_server_is_retried(passing: Response, pause: float, request_of: Callable[[Any], Any]) -> None:
    time = FakeTime()
    with api_server(in_turn(passing, (200, OBJECT))) as (url, requests):
        assert request_of(client(url, time=time))
    assert (len(requests), time.slept) == (2, [pause])


@pytest.mark.parametrize("passing", [BUSY, CLOSING, (429, "")], ids=["429 with Retry-After", "503 with Retry-After", "429"])
def test_a_write_without_a_precondition_is_retried_if_it_was_not_carried_out(passing: Response) -> None:
    with api_server(in_turn(passing, (200, OBJECT))) as (url, requests):
        assert patches_blindly(client(url))
    assert len(requests) == 2


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_write_without_a_precondition_is_not_retried_if_it_may_have_been_carried_out(code: int) -> None:
    with api_server(in_turn((code, ""), (200, OBJECT))) as (url, requests), pytest.raises(ApiError) as raised:
        patches_blindly(client(url))
    assert (len(requests), raised.value.is_uncertain) == (1, True)


def test_a_retry_that_fails_its_precondition_is_an_uncertain_failure() -> None:
    conflict = status(422, "Invalid", "the test operation failed")
    with api_server(in_turn((504, ""), conflict)) as (url, _), pytest.raises(ApiError, match="test operation") as raised:
        patches(client(url))
    assert (raised.value.status, raised.value.is_uncertain) == (422, True)
    with api_server(in_turn(BUSY, conflict)) as (url, _), pytest.raises(ApiError) as raised:
        patches(client(url))
    assert (raised.value.status, raised.value.is_uncertain) == (422, False)


@pytest.mark.parametrize("code", [400, 403, 404, 409, 410, 422, 501])
def test_a_permanent_error_is_not_retried(code: int) -> None:
    with api_server(lambda _: (code, "")) as (url, requests), pytest.raises(ApiError):
        lists(client(url))
    assert [request.path for request in requests].count("/api/v1/namespaces/prod/services?") == 1


def test_a_server_that_stays_busy_is_an_error_after_six_attempts() -> None:
    time = FakeTime()
    with api_server(lambda _: (503, "no")) as (url, requests), pytest.raises(ApiError, match=r"503: no \(6 attempts\)"):
        reads(client(url, time=time))
    assert (len(requests), time.slept) == (6, [0.2, 0.4, 0.8, 1.6, 2.0])


@pytest.mark.parametrize(("seconds", "attempts"), [("10", 4), ("31", 1), ("99999999", 1)])
def test_no_attempt_starts_after_the_time_limit_whatever_retry_after_is(seconds: str, attempts: int) -> None:
    time = FakeTime()
    busy = (429, "", {"Retry-After": seconds})
    words = f"the server allows a retry in {seconds} s$"
    with api_server(lambda _: busy) as (url, requests), pytest.raises(ApiError, match=words):
        reads(client(url, time=time))
    assert len(requests) == attempts
    assert sum(time.slept) <= LONGEST_SECONDS


@pytest.mark.parametrize("header", ["-1", "soon", "Thu, 01 Jan 2026 12:00:00 GMT", "1e3", "9" * 5000])
def test_a_retry_after_that_is_not_a_number_of_seconds_is_ignored(header: str) -> None:
    time = FakeTime()
    with api_server(in_turn((429, "", {"Retry-After": header}), (200, OBJECT))) as (url, _):
        assert reads(client(url, time=time))
    assert time.slept == [0.2]


@pytest.fixture
def stalls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Request], Response]]:
    """A server that does not answer the first request until the test is over."""
    monkeypatch.setattr("bluegreen.kube.connection.TIMEOUT_SECONDS", 0.2)
    over, came = threading.Event(), threading.Event()

    def answer(_: Request) -> Response:
        if not came.is_set():
            came.set()
            over.wait(20)
        return 200, OBJECT

    yield answer
    over.set()


@pytest.mark.parametrize("request_of", [reads, lists, patches])
def test_a_request_that_stalls_is_retried_on_a_new_connection(
    stalls: Callable[[Request], Response], request_of: Callable[[Any], Any]
) -> None:
    with api_server(stalls) as (url, requests):
        assert request_of(client(url))
    assert len({request.connection for request in requests}) == 2


def test_a_write_without_a_precondition_that_stalls_is_not_retried(stalls: Callable[[Request], Response]) -> None:
    with api_server(stalls) as (url, requests), pytest.raises(ApiError, match="did not respond: timed out") as raised:
        patches_blindly(client(url))
    assert (len(requests), raised.value.status, raised.value.is_uncertain) == (1, 0, True)


def test_a_write_that_never_reached_the_server_is_retried_and_certain() -> None:
    time = FakeTime()
    with pytest.raises(ApiError, match="refused") as raised:
        patches_blindly(client("http://127.0.0.1:1", time=time))
    assert (len(time.slept), raised.value.is_uncertain) == (5, False)


# The connection


def test_all_requests_use_one_connection() -> None:
    with api_server() as (url, requests):
        api = client(url)
        for _ in range(3):
            api.get("v1", "Service", "myapp")
    assert len(requests) == 3
    assert len({request.connection for request in requests}) == 1


def test_a_connection_that_the_server_has_closed_is_replaced() -> None:
    with api_server(hangs_up=True) as (url, requests):
        api = client(url)
        assert all(patches_blindly(api) for _ in range(3))
    assert len({request.connection for request in requests}) == 3

"""Objects are read and written through the API server, and what passes by itself is waited for."""

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


def in_turn(*answers: Response) -> Callable[[Request], Response]:
    """These answers one after the other; the last one stays."""
    rest = list(answers)
    return lambda _: rest.pop(0) if len(rest) > 1 else rest[0]


def reads(one: Any) -> Any:
    return one.get("v1", "Service", "myapp")


def lists(one: Any) -> Any:
    return one.list_objects("v1", "Service") == []


def patches(one: Any) -> Any:
    return one.patch("v1", "Service", "myapp", [TEST, REPLACE], "bluegreen")


def patches_blindly(one: Any) -> Any:
    return one.patch("v1", "Service", "myapp", [REPLACE], "bluegreen")


# What is asked


def test_an_object_that_is_not_there_is_none() -> None:
    answer = status(404, "NotFound", "not found", name="myapp", group="networking.istio.io", kind="virtualservices")
    with api_server(lambda _: answer) as (url, asked):
        assert client(url).get("networking.istio.io/v1", "VirtualService", "myapp") is None
    assert [each.path for each in asked] == ["/apis/networking.istio.io/v1/namespaces/prod/virtualservices/myapp"]


def test_a_server_may_be_reached_below_a_path() -> None:
    with api_server() as (url, asked):
        client(url + "/k8s/clusters/c-1/").get("v1", "Service", "myapp")
    assert asked[0].path == "/k8s/clusters/c-1/api/v1/namespaces/prod/services/myapp"


def test_objects_are_found_by_selectors() -> None:
    with api_server(lambda _: (200, {"items": [{"metadata": {"name": "blue"}}]})) as (url, asked):
        assert client(url).list_objects("apps/v1", "Deployment", labelSelector="app=myapp,color") == [
            {"metadata": {"name": "blue"}}
        ]
    assert asked[0].path == "/apis/apps/v1/namespaces/prod/deployments?labelSelector=app%3Dmyapp%2Ccolor"


def test_a_log_is_its_last_lines() -> None:
    with api_server(lambda _: (200, "one\ntwo \u00fc\n")) as (url, asked):
        assert client(url).log("blue-1", last=2) == ["one", "two \u00fc"]
        client(url).log("blue-1", 2, "setup", previous=True)
    paths = ["?tailLines=2", "?tailLines=2&container=setup&previous=true"]
    assert [each.path for each in asked] == [f"/api/v1/namespaces/prod/pods/blue-1/log{path}" for path in paths]


def test_a_json_patch_is_sent_in_the_name_of_its_manager_and_returns_the_object_as_written() -> None:
    written = {"metadata": {"name": "myapp", "resourceVersion": "8"}}
    with api_server(lambda _: (200, written)) as (url, asked):
        assert client(url).patch("v1", "Service", "myapp", [TEST, REPLACE], "bluegreen") == written
    assert (asked[0].method, json.loads(asked[0].body)) == ("PATCH", [TEST, REPLACE])
    assert asked[0].path == "/api/v1/namespaces/prod/services/myapp?fieldManager=bluegreen"
    assert asked[0].headers["Content-Type"] == ["application/json-patch+json"]


@pytest.mark.parametrize("request_of", [reads, lists, patches])
@pytest.mark.parametrize("code", [302, 304, 307])
def test_only_2xx_is_success(code: int, request_of: Callable[[Any], Any]) -> None:
    redirect = (code, "", {"Location": "https://login.example/"})
    with api_server(lambda _: redirect) as (url, asked), pytest.raises(ApiError, match=r"login\.example") as raised:
        request_of(client(url))
    assert (raised.value.status, raised.value.is_uncertain, len(asked)) == (code, False, 1)


@pytest.mark.parametrize("page", ["<html>Log in</html>", "", "[]", "{}"], ids=["a page", "nothing", "a list", "no object"])
def test_a_write_that_is_answered_with_no_object_is_a_failure_that_is_uncertain(page: str) -> None:
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


def test_the_plural_and_the_scope_of_any_other_kind_are_those_that_the_cluster_says_and_it_is_asked_once() -> None:
    with api_server(cluster_with({"/apis/networking.k8s.io/v1": API_RESOURCES})) as (url, asked):
        one = client(url)
        assert one.get("networking.k8s.io/v1", "NetworkPolicy", "myapp") is None
        with pytest.raises(ApiError):  # here it does not exist either, but its address is what counts
            one.get("networking.k8s.io/v1", "IngressClass", "nginx")
    assert [each.path for each in asked][:3] == [
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
def test_a_kind_that_the_cluster_does_not_have_is_an_error_and_never_absent(
    groups: dict[str, Any], api_version: str, kind: str
) -> None:
    words = f"does not have the kind {kind} of {api_version}" + (": the CRDs of Istio" if "istio" in api_version else "$")
    with api_server(cluster_with(groups)) as (url, _):
        one = client(url)
        with pytest.raises(ApiError, match=words):
            one.get(api_version, kind, "myapp")
        with pytest.raises(ApiError, match=words):
            one.list_objects(api_version, kind)
        with pytest.raises(ApiError, match=words):
            one.patch(api_version, kind, "myapp", [TEST], "bluegreen")


@pytest.mark.parametrize("body", ["404 page not found", "<html></html>", "", "[]"])
def test_a_404_of_something_before_the_api_server_says_nothing_about_an_object_or_a_kind(body: str) -> None:
    with api_server(lambda _: (404, body)) as (url, _):
        for kind in ("Service", "Unheard"):
            with pytest.raises(ApiError, match=r"^HTTP status 404") as raised:
                client(url).get("v1", kind, "myapp")
            assert raised.value.status == 404


def test_that_another_object_is_missing_does_not_make_this_one_absent() -> None:
    answer = status(404, "NotFound", 'namespaces "prod" not found', name="prod", kind="namespaces")
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match='namespaces "prod" not found'):
        client(url).get("v1", "Service", "myapp")


# The time of the API server

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def dated(header: str) -> Callable[[Request], Response]:
    return lambda _: (200, OBJECT, {"Date": header})


def test_the_present_time_is_that_of_the_latest_response_and_what_passed_since() -> None:
    time = FakeTime()
    with api_server(dated("Thu, 01 Jan 2026 12:00:00 GMT")) as (url, asked):
        one = client(url, time=time)
        one.get("v1", "Service", "myapp")
        time.seconds += 7.5
        assert one.now() == NOON + timedelta(seconds=7.5)
    assert len(asked) == 1


def test_the_present_time_is_asked_for_when_nothing_was_read_yet() -> None:
    with api_server(dated("Thu, 01 Jan 2026 13:00:00 +0100")) as (url, asked):
        assert client(url).now() == NOON
    assert [each.path for each in asked] == ["/version"]


@pytest.mark.parametrize("header", ["", "soon", "Thu, 99 Jan 2026 12:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"])
def test_without_a_usable_date_the_present_time_is_that_of_this_machine(header: str) -> None:
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
def test_a_refusal_says_what_the_server_said(answer: Response, message: str) -> None:
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
def test_a_missing_right_is_a_sentence_that_names_the_verb_the_resource_and_where(answer: Response, right: str) -> None:
    words = f"^system:serviceaccount:ci:bot has no right {right}; examples/rbac/ has a Role for each kind of command: "
    with api_server(lambda _: answer) as (url, _), pytest.raises(ApiError, match=words):
        client(url).get("v1", "Service", "myapp")


def test_a_server_that_is_not_there_is_an_error_that_names_it() -> None:
    with pytest.raises(ApiError, match=r"^http://127.0.0.1:1 did not respond: .*refused \(6 attempts\)$"):
        client("http://127.0.0.1:1").get("v1", "Service", "myapp")


# What passes by itself

BUSY = (429, "busy", {"Retry-After": "1"})
CLOSING = (503, "shutting down", {"Retry-After": "5"})


@pytest.mark.parametrize("request_of", [reads, lists, patches])
@pytest.mark.parametrize(
    ("passing", "pause"),
    [(BUSY, 1), (CLOSING, 5), ((429, ""), 0.2), ((500, ""), 0.2), ((502, ""), 0.2), ((503, ""), 0.2), ((504, ""), 0.2)],
    ids=["429 with Retry-After", "503 with Retry-After", "429", "500", "502", "503", "504"],
)
def test_what_a_busy_server_says_is_waited_for(passing: Response, pause: float, request_of: Callable[[Any], Any]) -> None:
    time = FakeTime()
    with api_server(in_turn(passing, (200, OBJECT))) as (url, asked):
        assert request_of(client(url, time=time))
    assert (len(asked), time.slept) == (2, [pause])


@pytest.mark.parametrize("passing", [BUSY, CLOSING, (429, "")], ids=["429 with Retry-After", "503 with Retry-After", "429"])
def test_a_write_without_a_precondition_is_repeated_when_it_was_not_carried_out(passing: Response) -> None:
    with api_server(in_turn(passing, (200, OBJECT))) as (url, asked):
        assert patches_blindly(client(url))
    assert len(asked) == 2


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_write_without_a_precondition_is_not_repeated_when_it_may_have_been_carried_out(code: int) -> None:
    with api_server(in_turn((code, ""), (200, OBJECT))) as (url, asked), pytest.raises(ApiError) as raised:
        patches_blindly(client(url))
    assert (len(asked), raised.value.is_uncertain) == (1, True)


def test_a_repetition_that_fails_its_precondition_says_that_the_first_attempt_may_have_been_carried_out() -> None:
    conflict = status(422, "Invalid", "the test operation failed")
    with api_server(in_turn((504, ""), conflict)) as (url, _), pytest.raises(ApiError, match="test operation") as raised:
        patches(client(url))
    assert (raised.value.status, raised.value.is_uncertain) == (422, True)
    with api_server(in_turn(BUSY, conflict)) as (url, _), pytest.raises(ApiError) as raised:
        patches(client(url))
    assert (raised.value.status, raised.value.is_uncertain) == (422, False)


@pytest.mark.parametrize("code", [400, 403, 404, 409, 410, 422, 501])
def test_what_does_not_pass_by_itself_is_not_repeated(code: int) -> None:
    with api_server(lambda _: (code, "")) as (url, asked), pytest.raises(ApiError):
        lists(client(url))
    assert [each.path for each in asked].count("/api/v1/namespaces/prod/services?") == 1


def test_a_server_that_stays_busy_is_an_error_after_a_bounded_number_of_attempts() -> None:
    time = FakeTime()
    with api_server(lambda _: (503, "no")) as (url, asked), pytest.raises(ApiError, match=r"503: no \(6 attempts\)"):
        reads(client(url, time=time))
    assert (len(asked), time.slept) == (6, [0.2, 0.4, 0.8, 1.6, 2.0])


@pytest.mark.parametrize(("seconds", "attempts"), [("10", 4), ("31", 1), ("99999999", 1)])
def test_no_attempt_begins_after_the_longest_time_whatever_the_server_asks_for(seconds: str, attempts: int) -> None:
    time = FakeTime()
    busy = (429, "", {"Retry-After": seconds})
    words = f"the server allows a retry in {seconds} s$"
    with api_server(lambda _: busy) as (url, asked), pytest.raises(ApiError, match=words):
        reads(client(url, time=time))
    assert len(asked) == attempts
    assert sum(time.slept) <= LONGEST_SECONDS


@pytest.mark.parametrize("header", ["-1", "soon", "Thu, 01 Jan 2026 12:00:00 GMT", "1e3", "9" * 5000])
def test_a_retry_after_that_is_no_number_of_seconds_is_none(header: str) -> None:
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
def test_a_request_that_stalls_is_sent_again_on_a_new_connection(
    stalls: Callable[[Request], Response], request_of: Callable[[Any], Any]
) -> None:
    with api_server(stalls) as (url, asked):
        assert request_of(client(url))
    assert len({each.connection for each in asked}) == 2


def test_a_write_without_a_precondition_that_stalls_is_not_sent_again(stalls: Callable[[Request], Response]) -> None:
    with api_server(stalls) as (url, asked), pytest.raises(ApiError, match="did not respond: timed out") as raised:
        patches_blindly(client(url))
    assert (len(asked), raised.value.status, raised.value.is_uncertain) == (1, 0, True)


def test_a_write_that_never_reached_the_server_is_repeated_and_certain() -> None:
    time = FakeTime()
    with pytest.raises(ApiError, match="refused") as raised:
        patches_blindly(client("http://127.0.0.1:1", time=time))
    assert (len(time.slept), raised.value.is_uncertain) == (5, False)


# The connection


def test_one_connection_is_kept_for_all_requests() -> None:
    with api_server() as (url, asked):
        one = client(url)
        for _ in range(3):
            one.get("v1", "Service", "myapp")
    assert len(asked) == 3
    assert len({each.connection for each in asked}) == 1


def test_a_connection_that_the_server_has_closed_meanwhile_is_made_anew() -> None:
    with api_server(hangs_up=True) as (url, asked):
        one = client(url)
        assert all(patches_blindly(one) for _ in range(3))
    assert len({each.connection for each in asked}) == 3

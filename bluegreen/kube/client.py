"""A small client of the Kubernetes API: reads and patches objects as plain data, and retries transient failures.

Client libraries take longer to import (lightkube 2x, kubernetes 4x this module) than all requests of a command take, and
`rollback --now` waits for the import. So this uses the standard library's HTTP and one connection, and has only the methods
that are called.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from bluegreen.kube.api_error import ApiError, absent, reason, unknown_kind
from bluegreen.kube.kinds import APIS
from bluegreen.kube.kubeconfig import ClusterConfig
from bluegreen.kube.transport import SYSTEM, Clock, Request, Response, Transport
from bluegreen.release.objects import Api

__all__ = ["ApiError", "Client", "Clock"]

# The media types of writes.
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"

# A transient failure is retried after these pauses, or after the server's Retry-After. No attempt starts later than
# LONGEST_SECONDS after the first one. client-go retries up to ten times, but only with Retry-After.
PAUSES_SECONDS = (0.2, 0.4, 0.8, 1.6, 2.0)
LONGEST_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class _Resource:
    """A kind as it appears in URLs of the API."""

    plural: str
    is_namespaced: bool = True


@dataclass(frozen=True, kw_only=True)
class _Result:
    """The last response to a request. `is_uncertain`: a failed attempt may have carried out the write."""

    response: Response
    attempts: int
    is_uncertain: bool


_NO_APIS: Mapping[str, Api] = {}


class Client:
    """Reads and writes objects of one namespace.

    `apis` are API versions beside those of Kubernetes. Connects on first use and keeps the connection and the credentials.
    Thread-safe: one request at a time. Retries transient failures, for `LONGEST_SECONDS` at most. Every method raises
    `ApiError`, or `KubeconfigError` without usable credentials.
    """

    def __init__(
        self, config: ClusterConfig, namespace: str, clock: Clock = SYSTEM, apis: Mapping[str, Api] = _NO_APIS
    ) -> None:
        self._apis = {**APIS, **apis}
        self._namespace = namespace
        self._context = config.context
        self._clock = clock
        self._transport = Transport(config, clock)
        self._discovered: dict[str, Mapping[str, _Resource]] = {}

    @property
    def place(self) -> str:
        """The context and the URL of the API server, for messages."""
        context = f"context {self._context}" if self._context else "the service account of this pod"
        return f"{context}, {self._transport.server}"

    def get(self, api_version: str, kind: str, name: str) -> Mapping[str, Any] | None:
        """One object, or None if it does not exist. Raises `ApiError` for a kind that the cluster does not have."""
        path = self._path(api_version, kind, name)
        result = self._send(Request(method="GET", path=path))
        if absent(result.response) == name:
            return None
        return _object(self._body(result, api_version, kind), path)

    def list_objects(self, api_version: str, kind: str, **selectors: str) -> list[Mapping[str, Any]]:
        """The objects that match the API's selectors (`labelSelector`, `fieldSelector`). List items have no `kind`."""
        path = self._path(api_version, kind)
        body = self._body(self._send(Request(method="GET", path=f"{path}?{urlencode(selectors)}")), api_version, kind)
        return [_checked(item, path) for item in _list(body, "items", path)]

    def list_everywhere(self, api_version: str, kind: str) -> list[Mapping[str, Any]]:
        """The objects of a kind in all namespaces. Needs the right to list them cluster-wide. List items have no `kind`."""
        path = f"{_root(api_version)}/{self._resource(api_version, kind).plural}"
        body = self._body(self._send(Request(method="GET", path=path)), api_version, kind)
        return [_checked(item, path) for item in _list(body, "items", path)]

    def log(self, pod: str, last: int, container: str = "", *, previous: bool = False) -> list[str]:
        """The `last` log lines of a container's current run, or of its `previous` run.

        `container` may be empty for a pod with one container.
        """
        query = {"tailLines": str(last), **({"container": container} if container else {})}
        query |= {"previous": "true"} if previous else {}
        path = f"{self._path('v1', 'Pod', pod)}/log?{urlencode(query)}"
        return self._body(self._send(Request(method="GET", path=path))).decode(errors="replace").splitlines()

    def patch(
        self, api_version: str, kind: str, name: str, operations: Sequence[Mapping[str, Any]], manager: str
    ) -> Mapping[str, Any]:
        """Applies a JSON Patch (RFC 6902) as the field manager `manager`; returns the object as written.

        A failing `test` operation (for example on /metadata/resourceVersion) is an `ApiError` with status 422. A patch with a
        `test` is retried even if an attempt may have been carried out: then the `test` of the retry fails, with `is_uncertain`.
        """
        path = f"{self._path(api_version, kind, name)}?{urlencode({'fieldManager': manager})}"
        request = Request(method="PATCH", path=path, body=json.dumps(operations).encode(), content_type=JSON_PATCH)
        is_repeatable = any(operation.get("op") == "test" for operation in operations)
        return self._written(self._send(request, is_repeatable=is_repeatable), api_version, kind, path)

    def rights(self) -> Mapping[str, Any]:
        """The account's rights in the namespace: the status of a SelfSubjectRulesReview, which every account may create."""
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        body = json.dumps(
            {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": self._namespace}}
        )
        review = _json(self._body(self._send(Request(method="POST", path=path, body=body.encode(), content_type=JSON))), path)
        status = review.get("status")
        return status if isinstance(status, dict) else {}

    def now(self) -> datetime:
        """The current time of the API server (UTC, to the second), by the Date header of its latest response."""
        if self._transport.now() is None:
            self._body(self._send(Request(method="GET", path="/version")))
        # A proxy may remove the header.
        return self._transport.now() or datetime.now(UTC)

    def _path(self, api_version: str, kind: str, name: str = "") -> str:
        resource = self._resource(api_version, kind)
        namespace = f"/namespaces/{quote(self._namespace, safe='')}" if resource.is_namespaced else ""
        path = f"{_root(api_version)}{namespace}/{resource.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path

    def _resource(self, api_version: str, kind: str) -> _Resource:
        known = self._apis.get(api_version)
        if known and kind in known.plurals:
            return _Resource(plural=known.plurals[kind])
        return self._discover(api_version, kind)

    def _discover(self, api_version: str, kind: str) -> _Resource:
        """Looks a kind up in the cluster's discovery API. Raises `ApiError` if the cluster does not have it."""
        if api_version not in self._discovered:
            path = _root(api_version)
            result = self._send(Request(method="GET", path=path))
            if result.response.status == HTTPStatus.NOT_FOUND and self._is_api_server():
                raise self._unknown(api_version, kind)
            self._discovered[api_version] = _resources(self._body(result), path)
        if kind not in self._discovered[api_version]:
            raise self._unknown(api_version, kind)
        return self._discovered[api_version][kind]

    def _unknown(self, api_version: str, kind: str) -> ApiError:
        known = self._apis.get(api_version)
        return unknown_kind(api_version, kind, known.if_absent if known else "")

    def _is_api_server(self) -> bool:
        """Whether an API server responds, and not a proxy in front of it that answers every path with 404."""
        response = self._send(Request(method="GET", path="/version")).response
        return response.is_success and b"gitVersion" in response.body

    def _send(self, request: Request, *, is_repeatable: bool = True) -> _Result:
        """Sends a request, and retries transient failures within the bounds above.

        A write that may have been carried out is retried only if it `is_repeatable`: if doing it twice does no harm.
        """
        started, attempts, is_uncertain = self._clock.now(), 0, False
        while True:
            response = self._transport.send(request)
            attempts += 1
            is_uncertain = is_uncertain or (request.method != "GET" and response.may_be_done)
            is_final = attempts > len(PAUSES_SECONDS) or not response.is_transient or (is_uncertain and not is_repeatable)
            pause = 0 if is_final else PAUSES_SECONDS[attempts - 1] if response.retry_after is None else response.retry_after
            if is_final or self._clock.now() + pause - started > LONGEST_SECONDS:
                return _Result(response=response, attempts=attempts, is_uncertain=is_uncertain)
            self._clock.sleep(pause)

    def _body(self, result: _Result, api_version: str = "", kind: str = "") -> bytes:
        """The body of a 2xx response; raises `ApiError` otherwise. With a kind, a 404 is checked for a missing kind."""
        response = result.response
        if response.is_success:
            return response.body
        if response.status == HTTPStatus.NOT_FOUND and kind and not absent(response):
            self._discover(api_version, kind)
        message = reason(response) if response.status else f"{self._transport.server} did not respond: {response.failure}"
        attempts = f" ({result.attempts} attempts)" if result.attempts > 1 else ""
        retry = "" if response.retry_after is None else f"; the server allows a retry in {response.retry_after:.0f} s"
        raise ApiError(message + attempts + retry, response.status, is_uncertain=result.is_uncertain)

    def _written(self, result: _Result, api_version: str, kind: str, path: str) -> Mapping[str, Any]:
        """The object that a write returns."""
        body = self._body(result, api_version, kind)
        try:
            return _object(body, path)
        except ApiError as error:
            raise ApiError(str(error), is_uncertain=True) from None


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _json(body: bytes, path: str) -> dict[str, Any]:
    """The JSON object in a body. Raises `ApiError`."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ApiError(f"the response to {path} is not from a Kubernetes API server: it is not a JSON object")
    return content


def _object(body: bytes, path: str) -> Mapping[str, Any]:
    return _checked(_json(body, path), path)


def _checked(item: Any, path: str) -> Mapping[str, Any]:
    """`item` if it is a Kubernetes object: a mapping with metadata.name. Raises `ApiError` otherwise."""
    candidate: Mapping[str, Any] = item if isinstance(item, dict) else {}
    metadata = candidate.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ApiError(f"the response to {path} is not from a Kubernetes API server: an object has no name")
    return candidate


def _list(body: bytes, key: str, path: str) -> list[Any]:
    items = _json(body, path).get(key)
    if items is not None and not isinstance(items, list):
        raise ApiError(f"the response to {path} is not from a Kubernetes API server: {key} is not a list")
    return items or []


def _resources(body: bytes, path: str) -> Mapping[str, _Resource]:
    """The kinds in an APIResourceList, without their subresources."""
    resources: dict[str, _Resource] = {}
    for item in _list(body, "resources", path):
        plural, kind = (item.get("name"), item.get("kind")) if isinstance(item, dict) else (None, None)
        if not isinstance(plural, str) or not isinstance(kind, str):
            raise ApiError(f"the response to {path} is not from a Kubernetes API server: a resource has no name")
        if "/" not in plural:
            resources.setdefault(kind, _Resource(plural=plural, is_namespaced=item.get("namespaced") is True))
    return resources

"""A routing layer of a team's own, in one file: `bluegreen:routing: tests.engine.toy_layer`.

Who gets which color stands in the ConfigMap `<app>-traffic` as JSON, such as {"users": {"blue": 100}, "testers": "green"}, with
the cookie of the testers. It is an annotation, because the provider replaces a ConfigMap whose data changes. A `Proxy` reads it
and forwards each request to the node port of the Service `<app>-<color>`.
"""

import http.client
import json
import random
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bluegreen.release import values
from bluegreen.release.colors import COLORS
from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.endpoint import NOTHING_GIVEN, Endpoint, Given
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Api, Object, Ref, annotation, as_mapping, as_number, as_text
from bluegreen.release.settings import ServiceSettings, Settings
from bluegreen.release.traffic import Traffic
from bluegreen.routing.base import Claims, Objects, Operations, Reading, cannot_verify, service_object

NAME = "toy"
APIS: Mapping[str, Api] = {}
PROXY_URL = Key(name="proxyUrl", parse=values.optional(values.url), default="", description="The URL of the proxy.")
KEYS: tuple[Key[Any], ...] = (PROXY_URL,)
HAS_TEST_ADDRESS = False

HEADER = "x-toy-color"


def problems(settings: Settings) -> Iterator[Problem]:
    if settings.verify and not settings.own_value(PROXY_URL):
        yield cannot_verify("Set bluegreen:proxyUrl.")


def manifests(settings: Settings) -> Objects:
    service, traffic = settings.service, settings.traffic
    app = service.name
    said = {"users": dict(traffic.users), "testers": traffic.testers, "cookie": settings.test_cookie}
    noted = {"traffic": json.dumps(said)}
    name = f"{app}-traffic"
    return Objects(
        parts=tuple(_service(service, color) for color in COLORS),
        route=(Manifest(api_version="v1", kind="ConfigMap", name=name, body={}, labels={"app": app}, annotations=noted),),
    )


def _service(service: ServiceSettings, color: str) -> Manifest:
    name, selector = f"{service.name}-{color}", service.pod_labels(color)
    return service_object(service, service.users, selector=selector, name=name, type="NodePort")


def route(service: ServiceSettings) -> tuple[Ref, ...]:
    return (Ref("v1", "ConfigMap", f"{service.name}-traffic"),)


def parts(service: ServiceSettings) -> tuple[Ref, ...]:
    return tuple(Ref("v1", "Service", f"{service.name}-{color}") for color in COLORS)


def read(service: ServiceSettings, found: Sequence[Object | None]) -> Reading:
    if not found or found[0] is None:
        return Reading()
    said = _said(found[0])
    users, testers = _shares(said), as_text(said.get("testers"))
    is_ours = len(users) == 1 and said.keys() <= {"users", "testers", "cookie"}
    return Reading(
        traffic=Traffic.split(users, testers if testers in COLORS else ""),
        may_serve=frozenset(users) if users else None,
        foreign="" if is_ours else f"ConfigMap {service.name}-traffic says {annotation(found[0], 'traffic')}",
    )


def _said(item: Object) -> Mapping[str, Any]:
    try:
        return as_mapping(json.loads(annotation(item, "traffic")))
    except (ValueError, RecursionError):
        return {}


def _shares(said: Mapping[str, Any]) -> dict[str, int]:
    """The percents of the colors; none if they make no sense."""
    users = as_mapping(said.get("users"))
    shares = {color: share for color in COLORS if (share := as_number(users.get(color))) and share > 0}
    return shares if shares.keys() == users.keys() and sum(shares.values()) == 100 else {}


def move(_: ServiceSettings, found: Sequence[Object | None], traffic: Traffic) -> list[Operations]:
    if not found or found[0] is None:
        return [[]]
    said = _said(found[0])
    wanted = {**said, "users": dict(traffic.users), **({"testers": traffic.testers} if traffic.testers else {})}
    written = {"op": "add", "path": "/metadata/annotations/traffic", "value": json.dumps(wanted)}
    return [[] if wanted == said else [written]]


def of_users(settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    url = given.url or settings.own_value(PROXY_URL)
    return Endpoint(url=url, color_header=given.color_header or HEADER) if url else None


def of_testers(settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
    users = of_users(settings, given)
    return replace(users, cookie=settings.test_cookie) if users else None


def describe_testers(settings: Settings) -> str:
    return f"cookie {settings.test_cookie}"


def url(settings: Settings, _: Object | None) -> str:
    return settings.own_value(PROXY_URL) or "<address of the proxy>"


def command_of_testers(settings: Settings, written: Object | None) -> str:
    return f"curl --cookie {settings.test_cookie} {url(settings, written)}"


def next_to_list(*_: object) -> tuple[str, str] | None:
    return None


def claims(*_: object) -> Claims:
    return Claims()


class Proxy:
    """Forwards requests by the ConfigMap of one environment, as long as `serving` lasts. `url` is where it listens."""

    def __init__(self, variables: Mapping[str, str], namespace: str, app: str) -> None:
        self._variables, self._namespace, self._app = dict(variables), namespace, app
        self._said: Mapping[str, Any] = {}
        self._ports: dict[str, int] = {}
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                status, color, body = proxy._forwarded(self.path, self.headers.get("Cookie", ""))
                self.send_response(status)
                self.send_header(HEADER, color)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nothing: the tests count answers."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def serving(self) -> Iterator["Proxy"]:
        command = self._kubectl("get", "configmap", "--watch", "--output=json")
        command += [f"--field-selector=metadata.name={self._app}-traffic"]
        with subprocess.Popen(command, env=self._variables, stdout=subprocess.PIPE, text=True) as watch:
            threads = [
                threading.Thread(target=self._server.serve_forever),
                threading.Thread(target=self._follow, args=(watch,)),
            ]
            for thread in threads:
                thread.start()
            try:
                yield self
            finally:
                watch.terminate()
                self._server.shutdown()
                self._server.server_close()
                for thread in threads:
                    thread.join()

    def _kubectl(self, *arguments: str) -> list[str]:
        return ["kubectl", *arguments, f"--namespace={self._namespace}"]

    def _follow(self, watch: "subprocess.Popen[str]") -> None:
        """Takes each version of the ConfigMap as the API server reports it: one JSON object after the other."""
        text = ""
        for line in watch.stdout or ():
            text += line
            if line == "}\n":
                self._said = _said(json.loads(text))
                text = ""

    def _forwarded(self, path: str, cookie: str) -> tuple[int, str, bytes]:
        said = self._said
        shares = _shares(said)
        if said.get("testers") and said["cookie"] in cookie.split("; "):
            color = str(said["testers"])
        elif shares:
            color = random.choices([*shares], [*shares.values()])[0]
        else:
            return 503, "", b"no color"
        try:
            connection = http.client.HTTPConnection(self._variables["NODE_ADDRESS"], self._port(color), timeout=5)
            connection.request("GET", path, headers={"Connection": "close"})
            response = connection.getresponse()
            return response.status, color, response.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, color, str(error).encode()

    def _port(self, color: str) -> int:
        if color not in self._ports:
            command = self._kubectl("get", "service", f"{self._app}-{color}", "--output=jsonpath={.spec.ports[0].nodePort}")
            ran = subprocess.run(command, env=self._variables, capture_output=True, text=True, timeout=30, check=True)
            self._ports[color] = int(ran.stdout)
        return self._ports[color]

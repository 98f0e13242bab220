"""Runs the whole program against Pulumi's mocks and records what it registers, dependencies included."""

import asyncio
import runpy
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pulumi
from google.protobuf import json_format
from pulumi.runtime import mocks, rpc, set_all_config
from pulumi.runtime.settings import ROOT as ROOT_RESOURCE
from pulumi.runtime.stack import run_in_stack

from bluegreen.release.live import Live
from bluegreen.release.settings import ServiceSettings

ROOT = Path(__file__).parents[2]

# The smallest config: one color, live. Keys and texts as the engine hands them over.
ONE_COLOR = {
    "bluegreen:image": "registry.example/shop",
    "bluegreen:app": "shop",
    "bluegreen:activeColor": "blue",
    "blue:imageTag": "1.0",
}
BOTH_COLORS = ONE_COLOR | {"green:imageTag": "2.0", "bluegreen:testColor": "green"}
# An application as its routing layer sees it.
SHOP = ServiceSettings(name="shop", colors={})
SWITCHED = BOTH_COLORS | {"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"}


@dataclass(frozen=True)
class Registered:
    """One registered resource: `dependencies` are names of resources, `raw` is its input as it went over the wire."""

    kind: str
    name: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    raw: dict[str, Any]
    request: Any


def _key(urn: str) -> str:
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]}/{name}"


class _Echo(mocks.Mocks):
    """A cluster that returns every object as it was registered."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", args.inputs

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"the program called {args.token}")


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Echo())
        self.registered: dict[str, Registered] = {}
        self.outputs: dict[str, Any] = {}
        self.hooks: dict[str, pulumi.ResourceHook] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802, the name of the call
        response = super().RegisterResource(request)
        kind = request.type.rpartition(":")[2]
        self.registered[f"{kind}/{request.name}"] = Registered(
            kind=kind,
            name=request.name,
            inputs=rpc.deserialize_properties(request.object),
            dependencies=frozenset(_key(urn) for urn in request.dependencies),
            raw=json_format.MessageToDict(request.object),
            request=request,
        )
        return response

    def register_hook(self, hook: pulumi.ResourceHook) -> asyncio.Future[None]:
        """Takes a hook without the server that the engine would call it through, which the mocks lack."""
        self.hooks[hook.name] = hook
        registered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        registered.set_result(None)
        return registered

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802, the name of the call
        if "::pulumi:pulumi:Stack::" in request.urn:
            self.outputs = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


@dataclass(frozen=True)
class Run:
    """What one run of the program registered, by kind and name (`Deployment/shop-blue`), its hooks, and the stack's outputs.

    `on_interrupt` is what it does when it is interrupted, as `signal.signal` takes it.
    """

    resources: dict[str, Registered]
    outputs: dict[str, Any]
    hooks: dict[str, pulumi.ResourceHook]
    on_interrupt: Any

    def objects(self) -> dict[str, Registered]:
        """The objects of the cluster alone: no components, no provider, no stack."""
        return {key: each for key, each in self.resources.items() if each.request.type.startswith("kubernetes:")}


class _Cluster:
    """A cluster whose live state is `served`, and where every color is ready at once."""

    served = Live()

    def __init__(self, **_: str) -> None:
        pass

    def live(self) -> Live:
        return self.served

    def parts(self) -> dict[Any, Any]:
        return {}

    def rights(self) -> dict[str, Any]:
        return {}

    def get(self, _: str, kind: str, __: str) -> dict[str, Any]:
        if kind == "Job":
            return {"status": {"conditions": [{"type": "Complete", "status": "True"}]}}
        status = {"updatedReplicas": 1, "replicas": 1, "readyReplicas": 1}
        container = {"image": "any"}
        spec = {"replicas": 1, "template": {"spec": {"containers": [container]}}}
        return {"metadata": {}, "spec": spec, "status": status}

    def replica_sets(self, _: object) -> list[object]:
        return []

    def pods(self, *_: object) -> list[object]:
        return []

    def events_of(self, _: str) -> list[object]:
        return []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def list_objects(self, *_: str, **__: str) -> list[object]:
        return []

    def route_of_another_name(self, _: str) -> str:
        return ""

    def list_everywhere(self, *_: str) -> list[object]:
        return []


def run(
    config: Mapping[str, str],
    secret_keys: Collection[str] = (),
    live: Live | None = None,
    required: Callable[[str], None] = lambda _: None,
) -> Run:
    """Runs `__main__.py` with `config` against a cluster that serves `live`; what it raises comes out unchanged.

    `required` replaces the engine's check of its version.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    recorder = _Recorder()
    pulumi.runtime.set_mocks(_Echo(), project="bluegreen", stack="test", preview=False, monitor=recorder)
    ROOT_RESOURCE.set(None)  # the mocks have made a stack of their own, which would hide the program's outputs
    set_all_config(dict(config), list(secret_keys))

    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"), run_name="__main__")

    served = type("Cluster", (_Cluster,), {"served": live or Live()})
    hooks = mock.patch("pulumi.resource_hooks.register_resource_hook", recorder.register_hook)
    ours = signal.getsignal(signal.SIGINT)
    try:
        with (
            mock.patch("bluegreen.environment.LiveEnvironment", served),
            mock.patch("pulumi.require_pulumi_version", required),
            hooks,
        ):
            loop.run_until_complete(run_in_stack(program))
    finally:
        loop.close()
        on_interrupt = signal.signal(signal.SIGINT, ours)
    return Run(recorder.registered, recorder.outputs, recorder.hooks, on_interrupt)

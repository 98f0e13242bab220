"""Applications that speak gRPC, HTTP/2, WebSocket and TCP are released without a failed message, on connections that are held
all the time as well as on new ones."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from dev.sandbox import toolchain
from dev.traffic.protocols import ProtocolLoad, Report
from tests import work
from tests.as_written import OF_EVERY_COLOR, differences
from tests.cluster import ROOT, eventually
from tests.conftest import Environments
from tests.stack import SandboxEnvironment

MANIFEST = "tests/traffic/manifests/protocols.yaml"
WRITTEN = next(item for item in yaml.safe_load_all((ROOT / MANIFEST).read_text()) if item["kind"] == "Deployment")
# What the template of a color has that the manifest's does not. Green has its image from the config.
OF_A_COLOR = OF_EVERY_COLOR | {"metadata.labels.app", "spec.containers[talk].lifecycle"}
OTHER_IMAGE = {"blue": set[str](), "green": {"spec.containers[talk].image"}}
# The port of the Service by protocol.
PORTS = {"websocket": 80, "h2c": 81, "grpc": 82, "grpc-stream": 82, "tcp": 83}
# Few enough for a slow host, on which other tests run at the same time.
CONNECTIONS, PAUSE_SECONDS = 2, 0.05
LONGEST_SECONDS = 300
MANY = 20  # messages, and connections that reach every worker of the proxy

TO_AND_FRO = ["blue", "green", "blue", "green"]


@dataclass(frozen=True)
class Kind:
    """A protocol, on connections that are held or on new ones."""

    protocol: str
    is_held: bool

    def __str__(self) -> str:
        return f"{self.protocol} on {'held' if self.is_held else 'new'} connections"


def kinds(*protocols: str) -> list[Kind]:
    return [Kind(protocol, is_held) for protocol in protocols for is_held in (True, False)]


@pytest.fixture(scope="session")
def client() -> Path:
    return toolchain.build_on_demand(toolchain.PROTOCOLS) / "protocols"


class Talks:
    """One load for each kind, at the entrance of the users or of the testers."""

    def __init__(self, client: Path, environment: SandboxEnvironment, of: list[Kind], *, testers: bool = False) -> None:
        work.done["loads"] += len(of)
        self._loads = {kind: _load(client, environment, kind, testers, CONNECTIONS) for kind in of}
        self._first = {kind: _load(client, environment, kind, testers, MANY) for kind in of}
        self._reports: Mapping[Kind, Report] = {}

    @contextmanager
    def running(self, color: str) -> Iterator[None]:
        """Talks once `color` answers at the entrance."""
        for kind in self._loads:
            eventually(lambda kind=kind: self._first_answers(kind), {color})  # type: ignore[misc]
        with ExitStack() as until_the_end:
            for load in self._loads.values():
                until_the_end.enter_context(load)
            yield
        self._reports = {kind: load.stop() for kind, load in self._loads.items()}

    def _first_answers(self, kind: Kind) -> set[str]:
        with self._first[kind] as load:
            pass
        report = load.stop()
        return set(report.served) | set(report.errors)

    def wait_for(self, color: str, *, of: Callable[[Kind], bool] = lambda _: True) -> None:
        """Wait until `color` was the last to answer on every connection, and then for some messages more."""
        chosen = {str(kind): load for kind, load in self._loads.items() if of(kind)}
        wanted = {name: {color} for name in chosen}
        eventually(lambda: {name: _seen(load.live()) for name, load in chosen.items()}, wanted, LONGEST_SECONDS)
        before = {name: load.live().requests for name, load in chosen.items()}
        eventually(
            lambda: all(load.live().requests >= before[name] + MANY for name, load in chosen.items()), True, LONGEST_SECONDS
        )

    @property
    def errors(self) -> dict[str, dict[str, int]]:
        """Why messages failed, by kind; of those that have ended or still run."""
        found = {kind: self._reports.get(kind) or load.live() for kind, load in self._loads.items()}
        return {str(kind): report.errors for kind, report in found.items() if report.failed}

    def report(self, kind: Kind) -> Report:
        return self._reports[kind]

    @property
    def slowest(self) -> float:
        return max(report.slowest for report in self._reports.values())

    @property
    def total(self) -> int:
        return sum(report.requests for report in self._reports.values())


def _seen(report: Report) -> set[str]:
    """The colors that answered last, or what happened instead."""
    return report.colors or set(report.errors) or {f"{report.requests} messages on {report.connections} connections"}


def _load(client: Path, environment: SandboxEnvironment, kind: Kind, testers: bool, connections: int) -> ProtocolLoad:
    if environment.routing == "istio":
        address, host = urlsplit(environment.cluster.gateway_url).netloc, environment.host
        cookie = "theme=dark; test=true" if testers else None
    else:
        ports = environment.get("service", "talk-test" if testers else "talk")["spec"]["ports"]
        [node_port] = [port["nodePort"] for port in ports if port["port"] == PORTS[kind.protocol]]
        address, host, cookie = f"{environment.cluster.node_address}:{node_port}", None, None
    return ProtocolLoad(
        client,
        address,
        protocol=kind.protocol,
        connections=connections,
        pause_seconds=PAUSE_SECONDS,
        keep_alive=kind.is_held,
        host=host,
        cookie=cookie,
        allowed=[environment.cluster.node_address],
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is released at the same time. The held connections of the protocols in `moves` follow a switch."""

    routing: str
    protocols: tuple[str, ...]
    moves: tuple[str, ...] = ()


CASES = {
    "istio, gRPC": Case(routing="istio", protocols=("grpc", "grpc-stream"), moves=("grpc",)),
    "istio, HTTP/2": Case(routing="istio", protocols=("h2c",), moves=("h2c",)),
    "istio, WebSocket": Case(routing="istio", protocols=("websocket",)),
    "selector, all of them": Case(routing="selector", protocols=tuple(PORTS)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_whole_release_loses_no_message(
    new_environment: Environments, client: Path, case: Case, figures: Callable[[str], None]
) -> None:
    """Deploy, test, activate, roll back, activate again, decommission. Connections that a switch does not move stay with their
    pod until it ends, and then go on with the other color."""

    def follows(kind: Kind) -> bool:
        return not kind.is_held or kind.protocol in case.moves

    environment = new_environment(
        {
            "bluegreen:routing": case.routing,
            "bluegreen:activeColor": "blue",
            "bluegreen:port": PORTS[case.protocols[0]],
            "bluegreen:drainSeconds": 1,
            "blue:manifest": MANIFEST,
        }
    )
    environment.up()
    users = Talks(client, environment, kinds(*case.protocols))
    with users.running("blue"):
        users.wait_for("blue")
        environment.set({"green:manifest": MANIFEST})
        environment.deploy("green", "2.0")
        for color in ("blue", "green"):
            assert differences(environment, f"myapp-{color}", WRITTEN) == OF_A_COLOR | OTHER_IMAGE[color]
        environment.test("green")
        testers = Talks(client, environment, kinds(*case.protocols), testers=True)
        with testers.running("green"):
            testers.wait_for("green")
        users.wait_for("blue")
        for color in ("green", "blue", "green"):
            environment.activate(color)
            users.wait_for(color, of=follows)
            users.wait_for("blue", of=lambda kind: not follows(kind))
        environment.set({"blue:manifest": None})
        environment.retire("blue")
        users.wait_for("green")
    assert (users.errors, testers.errors) == ({}, {})
    for kind in kinds(*case.protocols):
        report = users.report(kind)
        assert set(testers.report(kind).served) == {"green"}, str(kind)
        assert sum(report.served.values()) == report.requests, str(kind)
        if kind.is_held:
            expected = TO_AND_FRO if follows(kind) else ["blue", "green"]
            assert report.turns == [expected] * CONNECTIONS, str(kind)
            assert report.connections <= 2 * CONNECTIONS, str(kind)
        else:
            assert report.connections >= report.requests, str(kind)
    what = f"{', '.join(case.protocols)} by {case.routing}"
    figures(f"a whole release of {what}: {users.total:,} messages, 0 failed, the slowest {users.slowest:.1f} s")


def test_users_by_a_tcp_port_are_refused_with_istio(new_environment: Environments) -> None:
    environment = new_environment({"bluegreen:activeColor": "blue", "bluegreen:port": PORTS["tcp"], "blue:manifest": MANIFEST})
    refused = environment.preview(succeeds=False)
    assert "users come in by port 83 of the Service talk, which speaks tcp" in str(refused)
    assert "pulumi config set routing selector" in str(refused)

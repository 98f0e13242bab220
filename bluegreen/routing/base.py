"""What a module must offer to be a routing layer, and the values that it works with."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.endpoint import NOTHING_GIVEN, Endpoint, Given
from bluegreen.release.manifest import Manifest
from bluegreen.release.objects import Api, Object, Ref
from bluegreen.release.refusals import Refusal
from bluegreen.release.settings import ServiceSettings, Settings, SharedService
from bluegreen.release.traffic import NOBODY, Traffic

Operations = list[dict[str, Any]]
"""A JSON Patch (RFC 6902)."""


@dataclass(frozen=True, kw_only=True)
class Objects:
    """The objects of an environment's route, in the order in which they are written.

    `gateway` and each of `services` stand in a component of their own, `parts` are what else the route needs. `route` says who
    gets which color: its first object decides about users, and is written when everything else is ready.
    """

    gateway: Manifest | None = None
    services: tuple[Manifest, ...] = ()
    parts: tuple[Manifest, ...] = ()
    route: tuple[Manifest, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Who gets which color, as the live route says.

    `traffic` names nobody as far as the route names no color. `may_serve` holds every color that any user may get, or is None
    if the route does not say. `foreign` describes what in the route this program did not write, if it decides about users; it
    is empty if there is nothing of the kind.
    """

    traffic: Traffic = NOBODY
    may_serve: frozenset[str] | None = frozenset()
    foreign: str = ""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Who else claims the host of an environment: refusals of the update, and warnings in words.

    `others` are the objects of its namespace that lead the host to its Services too; an adoption ends when they are gone.
    """

    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    others: tuple[Ref, ...] = ()


def cannot_verify(fix: str) -> Problem:
    """The problem of `verify` if the settings do not say where users enter."""
    return Problem("bluegreen:verify", "true", "false as long as nothing says where users enter", fix)


# What the cluster assigns to a Service when it is created. A Service that came under the stack as it was has it in the state.
_ASSIGNED = ("spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort", "spec.ipFamilies")


def service_object(
    service: ServiceSettings, shared: SharedService, *, selector: Mapping[str, str], name: str = "", **spec: Any
) -> Manifest:
    """A Service that both colors share, with a selector. `name` and `spec` replace its own; None removes a field."""
    body = {key: value for key, value in {**shared.spec, **spec, "selector": dict(selector)}.items() if value is not None}
    return Manifest(
        api_version="v1",
        kind="Service",
        name=name or shared.name,
        body={"spec": body},
        labels={"app": service.name, **shared.labels},
        annotations=shared.annotations,
        ignored=_ASSIGNED,
    )


class Layer(Protocol):
    """What the module of a routing layer offers."""

    NAME: str
    """In lower case. The component of the route has the type `bluegreen:routing:<Name>`."""

    APIS: Mapping[str, Api]
    """The API versions of its own kinds. The kinds of Kubernetes itself are known."""

    KEYS: tuple[Key[Any], ...]
    """Own config keys, in `bluegreen:`, beside those in `release/config_keys.py`. `Settings.own_value` has their values."""

    HAS_TEST_ADDRESS: bool
    """Whether testers enter at an address of their own. Otherwise their requests differ from those of the users."""

    def problems(self, settings: Settings) -> Iterator[Problem]:
        """What is wrong with the settings for this layer, among them that `verify` is on and users enter nobody knows where.

        Other settings may have problems of their own, and then have their defaults.
        """
        ...

    def manifests(self, settings: Settings) -> Objects:
        """The objects for the Traffic of `settings`."""
        ...

    def route(self, service: ServiceSettings) -> tuple[Ref, ...]:
        """The objects that say who gets which color. The first one decides about users and is there while users are served;
        the last one decides about testers, and may be the same. Those between them follow."""
        ...

    def parts(self, service: ServiceSettings) -> tuple[Ref, ...]:
        """Other objects without which the route leads nowhere."""
        ...

    def read(self, service: ServiceSettings, found: Sequence[Object | None]) -> Reading:
        """Who gets which color. `found` has the objects in the order of `route`, None for each that does not exist.

        Never raises, whatever the objects hold.
        """
        ...

    def move(self, service: ServiceSettings, found: Sequence[Object | None], traffic: Traffic) -> list[Operations]:
        """What makes the objects `found` say `traffic`, for each object; without testers, the testers are left alone.

        It replaces what this program writes, and keeps everything else. Without operations an object stays as it is.
        """
        ...

    def of_users(self, settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
        """Where users enter: what the command line gives, or what the settings say; None if neither says it."""
        ...

    def of_testers(self, settings: Settings, given: Given = NOTHING_GIVEN) -> Endpoint | None:
        """Where testers enter, in the same way."""
        ...

    def describe_testers(self, settings: Settings) -> str:
        """Who gets the test color, in words for `status`."""
        ...

    def url(self, settings: Settings, written: Object | None) -> str:
        """The output `url`: where users come in, for people.

        `written` is the first object of the route as the cluster returned it. Without it the text is empty if only that says.
        """
        ...

    def command_of_testers(self, settings: Settings, written: Object | None) -> str:
        """The output `test`: a command that reaches the test color. `written` is the last object of the route."""
        ...

    def next_to_list(self, settings: Settings, found: Sequence[Sequence[Object]]) -> tuple[str, str] | None:
        """The API version and the kind to list next, in all namespaces, to find out who else claims the host.

        `found` are the objects that were listed so far. None if nothing more is needed.
        """
        ...

    def claims(self, settings: Settings, found: Sequence[Sequence[Object]]) -> Claims:
        """Who else claims the host, by the objects that `next_to_list` asked for. Never raises, whatever they hold."""
        ...

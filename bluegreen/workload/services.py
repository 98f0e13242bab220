"""The Kubernetes Services that both colors share, and what cannot be shared.

Each color's source says which Services it needs. Those of the active color are written, with the ports that only the other
color has: so the Service of the users changes when users move, and not before.

Beside a color from config values the Service of the users has no other ports than that color: those of a manifest come when
all colors have one. The routing layer may have to name the port before a Service has several.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bluegreen.release.config_reader import Problem
from bluegreen.release.objects import Object, as_items, as_mapping, containers_of, value_at
from bluegreen.release.settings import ColorSettings, SharedService
from bluegreen.workload.base import Workload

Deployed = Sequence[tuple[ColorSettings, Workload]]
"""The deployed colors with their sources, the active color first."""


def shared(deployed: Deployed) -> tuple[SharedService, ...]:
    """The Services of all colors, that of the users first."""
    found: dict[str, SharedService] = {}
    for color, source in deployed:
        for service in source.services(color):
            known = found.get(service.name)
            found[service.name] = _together(known, service) if known else service
    users, *others = found.values()
    return _of_users(users, deployed), *others


def port(deployed: Deployed) -> int:
    """The number of the port that users come in by: `bluegreen:port`, or the first of the active color."""
    color, source = deployed[0]
    return color.users_port or int(_ports(source.services(color)[0])[0]["port"])


def problems(deployed: Deployed) -> Iterator[Problem]:
    """What keeps the colors from sharing their Services."""
    (first, of_first), *others = deployed
    for color, source in others:
        yield from _port_of_users(deployed, color, source)
        users, own = of_first.services(first)[0], source.services(color)[0]
        if own.name != users.name:
            yield Problem(
                f"{color.name}:manifest" if color.snapshot else f"{first.name}:manifest",
                f"users reach the Service {own.name} of {color.name}, and the Service {users.name} of {first.name}",
                "one Service for both colors, because users reach it while they move",
                f"Name it {users.name} in both, or choose another one of the manifest: pulumi config set service {users.name}",
            )
        if first.snapshot or color.snapshot:
            yield from _targets((first, of_first), (color, source))
            yield from _mixed(first, of_first, color)
            yield from _mixed(color, source, first)


def _port_of_users(deployed: Deployed, color: ColorSettings, source: Workload) -> Iterator[Problem]:
    users, wanted = source.services(color)[0], port(deployed)
    numbers = [found["port"] for found in _ports(users)]
    if wanted not in numbers:
        listed = " and ".join(map(str, numbers))
        yield Problem(
            "bluegreen:port",
            f"{wanted}, and the Service {users.name} of {color.name} has {listed}",
            "a port of the Service that users reach, in both colors",
            f"Give the Service the port {wanted} too, or choose another port: pulumi config set port {numbers[0]}",
        )


def _targets(one: tuple[ColorSettings, Workload], two: tuple[ColorSettings, Workload]) -> Iterator[Problem]:
    """Ports that lead to one port of the pods by the one manifest, and to another one by the other."""
    (first, of_first), (other, of_other) = one, two
    named = (_container_ports(of_first.objects(first)), _container_ports(of_other.objects(other)))
    known = {service.name: _by_number(service) for service in of_first.services(first)}
    for service in of_other.services(other):
        for number, found in _by_number(service).items():
            before = known.get(service.name, {}).get(number)
            if before and any(_resolved(before, ports) != _resolved(found, ports) for ports in named):
                yield Problem(
                    f"{other.name}:manifest",
                    f"port {number[0]} of the Service {service.name} has targetPort {_target(found)}, and "
                    f"{_target(before)} in {first.name}",
                    "the same port of the pods, because both colors share the Service",
                    "Name the container port, with the same name in both colors, and use the name as targetPort.",
                )


def _mixed(color: ColorSettings, source: Workload, other: ColorSettings) -> Iterator[Problem]:
    """Beside a color from config values, the pods of a manifest need the label by which Services select the others."""
    if not color.snapshot or other.snapshot:
        return
    for worker in source.workers(color, running=True):
        if value_at(as_mapping(worker.body.get("spec")), "template", "metadata", "labels", "app") == color.app:
            yield Problem(
                f"{color.name}:manifest",
                f"the pods of {worker.name} have the label app: {color.app}",
                f"another label app (bluegreen:app is {color.app}) as long as {other.name} has no manifest, because a Service "
                "selects by this label, and users would reach the worker",
                "Change the label in the pod template of the worker, or remove it there.",
            )
    template = as_mapping(_deployment(source.objects(color)).get("template"))
    label = value_at(template, "metadata", "labels", "app")
    if label != color.app:
        yield Problem(
            f"{color.name}:manifest",
            f"the pods have the label app: {label}",
            f"app: {color.app} (bluegreen:app) as long as {other.name} has no manifest, because a Service selects both colors "
            "by this label",
            f"Write app: {color.app} into the labels of the pod template, or remove the label there.",
        )


def _of_users(service: SharedService, deployed: Deployed) -> SharedService:
    """The Service of the users: its type and its ports stay those of config values as long as a color is made of them."""
    spec = {"type": "ClusterIP", **service.spec}
    plain = [source.services(color)[0] for color, source in deployed if not color.snapshot]
    if plain:
        spec = {key: value for key, value in spec.items() if key != "type" or value != "ClusterIP"}
        spec["ports"] = [found for found in _ports(service) if _number(found) in _by_number(plain[0])]
    return replace(service, spec=spec)


def _together(service: SharedService, other: SharedService) -> SharedService:
    """`service` with the ports that only `other` has. Several ports of one Service need names, and each another one."""
    ports, known = _ports(service), _by_number(other)
    more = [found for number, found in known.items() if number not in _by_number(service)]
    if not more:
        return service
    merged: list[dict[str, Any]] = []
    for found in (*ports, *more):
        name = found.get("name") or known[_number(found)].get("name") if _number(found) in known else found.get("name")
        name = name or f"port-{found['port']}"
        taken = {present["name"] for present in merged}
        merged.append({**found, "name": f"{name[:9]}-{found['port']}" if name in taken else name})
    return replace(service, spec={**service.spec, "ports": merged})


def _ports(service: SharedService) -> list[dict[str, Any]]:
    return [dict(found) for found in as_items(service.spec.get("ports"))]


def _number(found: Mapping[str, Any]) -> tuple[int, str]:
    return found["port"], found.get("protocol", "TCP")


def _by_number(service: SharedService) -> dict[tuple[int, str], dict[str, Any]]:
    return {_number(found): found for found in _ports(service)}


def _target(found: Mapping[str, Any]) -> int | str:
    target: int | str = found.get("targetPort", found["port"])
    return target


def _resolved(found: Mapping[str, Any], ports: Mapping[str, int]) -> int | None:
    target = _target(found)
    return ports.get(target) if isinstance(target, str) else target


def _deployment(objects: Sequence[Any]) -> Object:
    return next((as_mapping(found.body.get("spec")) for found in objects if found.kind == "Deployment"), {})


def _container_ports(objects: Sequence[Any]) -> dict[str, int]:
    """The named ports of the pods."""
    pod = as_mapping(value_at(_deployment(objects), "template", "spec"))
    ports = (found for container in containers_of(pod) for found in as_items(container.get("ports")))
    return {found["name"]: found["containerPort"] for found in ports if "name" in found}

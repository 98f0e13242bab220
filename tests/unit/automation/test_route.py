"""The route as `rollback --now` writes it: what the program has written, with the colors swapped, and nothing else."""

from typing import Any

import pytest

from automation.outcomes import ReleaseError
from automation.route import owned, swapped


def applied(fields: dict[str, Any], manager: str = "bluegreen") -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields}


SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": "myapp",
        "namespace": "prod",
        "uid": "1",
        "labels": {"app": "myapp", "team": "somebody"},
        "managedFields": [
            {"manager": "kube-controller", "operation": "Update", "fieldsV1": {"f:status": {}}},
            applied(
                {
                    "f:metadata": {"f:labels": {"f:app": {}}},
                    "f:spec": {
                        "f:ports": {
                            'k:{"port":3000,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}, "f:nodePort": {}}
                        },
                        "f:selector": {},
                        "f:type": {},
                    },
                }
            ),
        ],
    },
    "spec": {
        "clusterIP": "10.0.0.1",
        "ports": [{"name": "http", "port": 3000, "protocol": "TCP", "targetPort": "http", "nodePort": 30900}],
        "selector": {"app": "myapp", "color": "green"},
        "type": "NodePort",
    },
}

ROUTE: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "VirtualService",
    "metadata": {
        "name": "myapp-blue-green",
        "namespace": "prod",
        "managedFields": [applied({"f:spec": {"f:hosts": {}, "f:http": {}}})],
    },
    "spec": {
        "hosts": ["shop.example"],
        "http": [
            {
                "name": f"myapp-{role}",
                "retries": {"attempts": 2},
                "route": [
                    {
                        "destination": {"host": "myapp", "subset": color},
                        "headers": {"response": {"set": {"x-color": color, "x-other": "1"}}},
                    }
                ],
            }
            for role, color in (("test", "blue"), ("default", "green"))
        ],
    },
}


def test_only_what_the_program_has_written_is_written_again() -> None:
    assert owned(SERVICE) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "myapp", "namespace": "prod", "labels": {"app": "myapp"}},
        "spec": {
            "ports": [{"port": 3000, "protocol": "TCP", "name": "http", "nodePort": 30900}],
            "selector": {"app": "myapp", "color": "green"},
            "type": "NodePort",
        },
    }


def test_a_service_follows_the_other_color() -> None:
    assert swapped(owned(SERVICE))["spec"]["selector"] == {"app": "myapp", "color": "blue"}


def test_a_virtual_service_swaps_both_routes_and_what_they_say() -> None:
    written = swapped(owned(ROUTE))["spec"]
    routes = [each["route"][0] for each in written["http"]]
    assert [each["destination"]["subset"] for each in routes] == ["green", "blue"]
    assert [each["headers"]["response"]["set"] for each in routes] == [
        {"x-color": "green", "x-other": "1"},
        {"x-color": "blue", "x-other": "1"},
    ]
    assert written["hosts"] == ["shop.example"]
    assert [each["retries"] for each in written["http"]] == [{"attempts": 2}] * 2


def test_swapping_twice_gives_the_same_object() -> None:
    for item in (SERVICE, ROUTE):
        assert swapped(swapped(owned(item))) == owned(item)


def test_an_object_that_somebody_else_has_applied_is_left_alone() -> None:
    foreign = {**ROUTE, "metadata": {**ROUTE["metadata"], "managedFields": [applied({"f:spec": {}}, "kubectl")]}}
    with pytest.raises(ReleaseError, match="was not written by this program"):
        owned(foreign)

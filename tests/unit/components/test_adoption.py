"""What the program registers while an application comes over."""

import json

import pytest

from bluegreen.release.adoption import Adoption
from tests.unit.program import ONE_COLOR, run

ADOPTION = Adoption(deployment="shop", services={"shop": {"app": "shop"}})
CONFIG = ONE_COLOR | {"bluegreen:namespace": "prod"}


def adopting(routing: str, *, is_owned: bool) -> dict[str, str]:
    text = json.dumps(ADOPTION.own(is_owned=is_owned).config)
    return CONFIG | {"bluegreen:routing": routing, "bluegreen:adopt": text}


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_beside_the_old_pods_a_color_is_registered_and_no_route(routing: str) -> None:
    ran = run(adopting(routing, is_owned=False))
    kinds = {resource.kind for resource in ran.resources.values() if resource.request.custom}
    assert "Deployment" in kinds
    assert not kinds & {"Service", "VirtualService", "Gateway", "DestinationRule"}
    assert ran.outputs["next"] == {"adopt": "bluegreen adopt --next"}


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_the_services_that_are_named_come_under_the_stack_as_they_are_and_nothing_else(routing: str) -> None:
    objects = [found for found in run(adopting(routing, is_owned=True)).resources.values() if found.request.custom]
    imported = {f"{found.kind}/{found.name}": found.request for found in objects if found.request.importId}
    assert list(imported) == ["Service/shop"]
    request = imported["Service/shop"]
    assert request.importId == "prod/shop"
    assert {"metadata", "spec"} <= {*request.ignoreChanges}
    assert request.retainOnDelete
    assert not any(found.request.retainOnDelete for found in objects if found.request is not request)


@pytest.mark.parametrize("routing", ["istio", "selector"])
def test_after_the_adoption_nothing_is_imported_or_retained(routing: str) -> None:
    objects = run(CONFIG | {"bluegreen:routing": routing}).resources.values()
    assert not any(found.request.importId or found.request.retainOnDelete for found in objects)

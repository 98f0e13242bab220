"""What the settings of an environment warn about, and what they compute only if they need it."""

import hashlib

import pytest

from bluegreen.release import digest
from bluegreen.release.config_reader import read_settings
from bluegreen.release.settings import warnings
from tests.unit.program import ONE_COLOR

AUTOSCALED = ONE_COLOR | {"blue:maxReplicas": "5"}


@pytest.mark.parametrize("resources", ['{"requests": {"cpu": "100m"}}', '{"limits": {"cpu": "1"}}'])
def test_an_autoscaler_with_a_request_for_cpu_needs_no_warning(resources: str) -> None:
    assert warnings(read_settings(AUTOSCALED | {"blue:resources": resources})) == []
    assert warnings(read_settings(ONE_COLOR)) == []


@pytest.mark.parametrize("resources", ["{}", '{"requests": {"memory": "1Gi"}}'])
def test_an_autoscaler_without_a_request_for_cpu_is_said_with_the_way(resources: str) -> None:
    [warning] = warnings(read_settings(AUTOSCALED | {"blue:resources": resources}))
    assert "blue:maxReplicas is 5" in warning
    assert "pulumi config set --path 'blue:resources.requests.cpu' 100m" in warning


def test_without_secret_variables_no_expensive_digest_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    digest.of_secret.cache_clear()
    monkeypatch.delattr(hashlib, "scrypt")
    settings = read_settings(ONE_COLOR)
    assert settings.service.colors["blue"].secret_digest == ""
    of_blue = read_settings(ONE_COLOR | {"blue:secretEnv": '{"TOKEN": "1"}'}).service.colors["blue"]
    with pytest.raises(AttributeError):
        _ = of_blue.secret_digest

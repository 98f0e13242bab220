"""What the settings of an environment warn about."""

import pytest

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

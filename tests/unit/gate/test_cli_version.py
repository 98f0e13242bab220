"""A CLI that would not enforce the rules is refused before anything is registered."""

from unittest import mock

import pulumi
import pytest
import yaml

from bluegreen.gate.cli_version import REQUIRED
from dev.sandbox.pulumi_cli import OLDEST
from tests.unit.program import ONE_COLOR, ROOT, run

TOO_OLD = 'Pulumi CLI version 3.181.0 does not satisfy the version range ">=3.238.0"'


@pytest.mark.parametrize("said", [TOO_OLD, "The installed version of the CLI does not support the `RequirePulumiVersion` RPC."])
def test_a_cli_that_is_too_old_for_the_rules_is_refused_in_words(said: str) -> None:
    asked = mock.Mock(side_effect=Exception(said))
    with mock.patch("components.provider.provider") as provider, pytest.raises(pulumi.RunError) as refused:
        run(ONE_COLOR, required=asked)
    asked.assert_called_once_with(REQUIRED)
    provider.assert_not_called()
    assert str(refused.value).startswith(said)
    assert "The rules of a release are resource hooks, which an older CLI does not run. Nothing was changed." in str(
        refused.value
    )
    assert "next: install a Pulumi CLI >=3.238.0" in str(refused.value)


def test_the_cli_itself_is_told_the_same_range_and_the_sandbox_takes_no_older_one() -> None:
    assert yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["requiredPulumiVersion"] == REQUIRED
    assert f">={'.'.join(map(str, OLDEST))}" == REQUIRED

"""The provider that the program registers."""

import pulumi
import pytest

from components import provider


def test_a_missing_package_of_the_provider_is_an_error_with_the_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "find_spec", lambda _: None)
    with pytest.raises(pulumi.RunError, match="pip install -r requirements"):
        provider.provider("", "default")

"""How many users there are under load: as many as this host bears."""

from collections.abc import Callable

import pytest

from dev.traffic.capacity import bearable_rate
from tests.stack import SandboxEnvironment

MOST_USERS_A_SECOND = 1200


@pytest.fixture(scope="session")
def users_a_second(figures: Callable[[str], None]) -> Callable[[SandboxEnvironment], int]:
    """Requests a second that this host bears with a core to spare, measured once for each routing on a standing environment."""
    measured: dict[str, int] = {}

    def rate(environment: SandboxEnvironment) -> int:
        routing = environment.routing
        if routing not in measured:
            measured[routing] = bearable_rate(lambda rate: environment.users.load(rate, 60), MOST_USERS_A_SECOND)
            figures(f"users by {routing}: {measured[routing]:,} a second, measured")
        return measured[routing]

    return rate

"""One seed for all that tests leave to chance. A run prints it; BLUEGREEN_TEST_SEED=<seed> chooses the same again."""

import os
import random
import secrets

VARIABLE = "BLUEGREEN_TEST_SEED"


def seed() -> int:
    """The seed of this run. Processes that run tests in parallel inherit it by the environment."""
    return int(os.environ.setdefault(VARIABLE, str(secrets.randbelow(1_000_000))))


def chance(name: str) -> random.Random:
    """Random choices for the test `name`, the same ones whatever other tests have chosen before."""
    return random.Random(f"{seed()} {name}")

"""Refuses a Pulumi CLI that would not enforce the rules."""

import pulumi

# Resource hooks came with 3.182; from 3.238 on the engine never passes over an error in one. Pulumi.yaml has the same range. A
# CLI that knows that key refuses by itself; an older one is refused here.
REQUIRED = ">=3.238.0"


def require_cli() -> None:
    """Raises `pulumi.RunError` if the CLI that runs this program is too old."""
    try:
        pulumi.require_pulumi_version(REQUIRED)
    except pulumi.RunError:
        raise
    except Exception as error:  # the SDK raises nothing more specific
        raise pulumi.RunError(
            f"{error}\nThe rules of a release are resource hooks, which an older CLI does not run. Nothing was changed.\n"
            f"  next: install a Pulumi CLI {REQUIRED}: https://www.pulumi.com/docs/install/"
        ) from None

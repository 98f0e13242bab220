"""The two colors of an environment."""

COLORS = ("blue", "green")


def other(color: str) -> str:
    """The color that `color` is not."""
    return COLORS[1 - COLORS.index(color)]

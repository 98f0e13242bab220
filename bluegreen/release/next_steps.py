"""The walk of a release: which commands come next, as far as config can tell. Nothing is decided here."""

from bluegreen.release.colors import other
from bluegreen.release.settings import Settings


def next_steps(settings: Settings) -> dict[str, str]:
    """The commands that make sense now: the step of a release -> what to type.

    Config alone cannot tell a color that waits for its first users from one that users have just left, so with a test
    color there are two ways: `activate` it, or `decommission` it.
    """
    if settings.adopt:
        return {"adopt": "bluegreen adopt --next"}
    active, idle = settings.active_color, other(settings.active_color)
    colors = settings.service.colors
    if idle not in colors:
        value = "manifest <file or folder>" if colors[active].snapshot else "imageTag <tag>"
        return {"deploy": f"pulumi config set {idle}:{value} && pulumi up"}
    kept = {"manifest": colors[idle].snapshot, "imageTag": colors[idle].image_tag or not colors[idle].snapshot}
    removal = " && ".join(f"pulumi config rm {idle}:{key}" for key, is_set in kept.items() if is_set)
    if not settings.test_color:
        return {
            "test": f"pulumi config set testColor {idle} && pulumi up",
            "decommission": f"{removal} && pulumi up",
        }
    return {
        "activate": f"pulumi config set activeColor {idle} && pulumi config set testColor {active} && pulumi up",
        "decommission": f"pulumi config rm testColor && {removal} && pulumi up",
    }

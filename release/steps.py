"""The walk of a release: which commands come next, as far as config can tell. Nothing is decided here."""

from release.settings import Settings, other


def next_steps(settings: Settings) -> dict[str, str]:
    """The commands that make sense now: name of the step -> what to type, in the order a release takes them.

    Config alone cannot tell a color that waits for its first users from one that users have just left, so with a test
    color there are two ways on: forward and out.
    """
    active, idle = settings.active_color, other(settings.active_color)
    if idle not in settings.service.colors:
        return {f"deploy {idle}": f"pulumi config set {idle}:imageTag <tag> && pulumi up"}
    decommission = {f"decommission {idle}": f"pulumi config rm {idle}:imageTag && pulumi up"}
    if not settings.test_color:
        return {f"test {idle}": f"pulumi config set testColor {idle} && pulumi up"} | decommission
    switch = f"pulumi config set activeColor {idle} && pulumi config set testColor {active} && pulumi up"
    retire = f"pulumi config rm testColor && pulumi config rm {idle}:imageTag && pulumi up"
    return {f"activate {idle}": switch, f"decommission {idle}": retire}

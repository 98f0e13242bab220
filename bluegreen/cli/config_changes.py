"""Which values of the config each verb changes. Plain functions over settings: no Pulumi, no file, no cluster."""

import re
from collections.abc import Mapping
from typing import Any

from bluegreen.cli.outcomes import Exit, ReleaseError, refused
from bluegreen.release.colors import COLORS, other
from bluegreen.release.image import Image
from bluegreen.release.live import Live
from bluegreen.release.refusals import Refusal, Rule
from bluegreen.release.settings import Settings
from bluegreen.release.transition import is_approved, is_image_approved, unapproved

Changes = dict[str, str | Mapping[str, Any] | None]
"""Full key -> its text or its object, or None to remove it."""

ACTIVE, TEST, EXPECT = "bluegreen:activeColor", "bluegreen:testColor", "bluegreen:expect"

# What a verb may change, and so what a release is, beside the rest of the config.
RELEASE_KEYS = (ACTIVE, TEST, *(f"{color}:{key}" for color in COLORS for key in ("imageTag", "manifest", "release")))


def deploy(color: str, image: str, release: str | None) -> Changes:
    """Gives a color an image. A release that is not named is forgotten: it was another image's."""
    return {f"{color}:imageTag": image, f"{color}:release": release}


def deploy_manifest(
    color: str, path: str, image_tag: str | None, release: str | None, secret_data: Mapping[str, Any] | None
) -> Changes:
    """Gives a color the snapshot in `path`. Without `image_tag` its image is that of the snapshot."""
    return {
        f"{color}:manifest": path,
        f"{color}:imageTag": image_tag,
        f"{color}:release": release,
        f"{color}:secretData": secret_data or None,
    }


def test(color: str) -> Changes:
    """Sends the testers to a color."""
    return {TEST: color}


def activate(settings: Settings, color: str) -> Changes:
    """Sends the users to a color, and the testers to the other one if it is there."""
    idle = other(color)
    return {ACTIVE: color, TEST: idle if idle in settings.service.colors else None}


def decommission(settings: Settings, color: str) -> Changes:
    """Removes a color, and the test route when it leads there."""
    removed: Changes = {f"{color}:{key}": None for key in ("imageTag", "release", "manifest", "secretData")}
    return removed | ({TEST: None} if settings.test_color == color else {})


def approve(settings: Settings, live: Live, color: str, release: str | None, image: str | None) -> None:
    """Refuses to activate something else than what was approved. `release` and `image` are None when they may be any.

    The program compares one approval once more, at the moment of the update.
    """
    configured, present = settings.service.colors.get(color), live.colors.get(color)
    if configured is None or present is None:
        return  # the program refuses that with a better reason
    for approval, approves in ((release, is_approved), (image, is_image_approved)):
        if approval and not approves(present, configured.image, approval):
            refusal = unapproved(
                f"users to {color}, expecting {approval}",
                color,
                present,
                "Approve what is deployed now, or deploy what was approved.",
            )
            raise refused(refusal, f"Nothing was changed; users stay on {live.active or 'nobody'}.")


def expect_served(settings: Settings, color: str, served: str, meant: str) -> None:
    """Refuses what is meant for the release that users were on, if the color runs another one by now.

    `served` is the tag that the color had when users were on it last, or all of the image; `meant` the command for who means it
    all the same.
    """
    present = settings.service.colors.get(color)
    if present and served not in (present.image, *Image.parse(present.image).names):
        before = f"users were on {color} with the tag {served}" if served else f"users were never on {color}"
        refusal = Refusal(
            rule=Rule.LAST_RELEASE,
            asked=f"{color} as the last release",
            live=f"{color} runs {present.image} by the config, and {before}",
            remedy=f"If you mean it: bluegreen {meant}",
        )
        raise refused(refusal, f"Nothing was changed; users stay on {settings.active_color}.")


def lane(tag: str) -> tuple[str, str]:
    """The color and the version of a tag such as v2.0-green. Raises `ReleaseError` when it names none."""
    found = re.fullmatch(rf"v?(?P<version>\S+)-(?P<color>{'|'.join(COLORS)})", tag)
    if not found:
        raise ReleaseError(
            Exit.CONFIG,
            f"The tag {tag} names no lane, so nothing was done.\n  next: end it with -blue or -green, such as v2.0-green.",
        )
    return found["color"], found["version"]

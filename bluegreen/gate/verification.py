"""`bluegreen:verify`: after the route was written, waits with real requests until the active color serves users.

An update that writes no route sends no request, and neither does a preview.
"""

import asyncio
from functools import cached_property
from typing import Any

import pulumi

from bluegreen.release.refusals import Fault, mark
from bluegreen.release.settings import Settings
from bluegreen.routing import find

LONGEST_SECONDS = 20.0


class Verification:
    """One run of the program. `settings` say where users enter; the config is refused otherwise."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_written = False

    def hooks(self) -> list[Any]:
        """The hooks after the route's creation or update, none if the config does not ask for verification."""
        return [self._written] if self._settings.verify else []

    @cached_property
    def _written(self) -> pulumi.ResourceHook:
        """Notes the write, and no more: the engine saves the state when its hooks have returned."""

        def note(_: pulumi.ResourceHookArgs) -> None:
            self._is_written = True

        return pulumi.ResourceHook("route-is-written", note)

    async def until_served(self, route: pulumi.Resource) -> None:
        """Returns when the active color serves users, at once if this run did not write the route.

        Raises `pulumi.RunError` after `LONGEST_SECONDS`, with what was seen instead.
        """
        users = find(self._settings.routing).of_users(self._settings)
        if not self._is_written or users is None:
            return
        from bluegreen.probe import wait_for

        color = self._settings.active_color
        pulumi.info(f"asking who serves users at {users.url}", route, ephemeral=True)
        waited = await asyncio.to_thread(wait_for, users, color, seconds=LONGEST_SECONDS)
        if waited.is_served:
            return
        raise pulumi.RunError(
            f"Users are not served by {color} {waited.seconds:.0f} s after the route was written {mark(Fault.NOT_SERVED)}.\n"
            f"  at:    {users.url}\n"
            f"  seen:  {waited.last_other}\n"
            f"  route: it is written and sends users to {color}; nothing was written after it\n"
            "  next:  bluegreen status shows who answers; whether the route is applied is up to the mesh or the proxy.\n"
            "         pulumi up does not wait again. Users back: bluegreen rollback --now"
        )

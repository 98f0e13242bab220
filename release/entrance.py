"""Where users and testers enter an environment, by its settings: the same for the program and for the command."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from release.probe import Entrance
    from release.settings import Settings


def users_url(*, url: str, routing: str, host: str, tls_secret: str) -> str:
    """The URL of the users, from `url` or (istio) from a `host` that is no wildcard; empty if the settings have neither."""
    if url or routing != "istio" or host.startswith("*"):
        return url
    return f"{'https' if tls_secret else 'http'}://{host}"


def _url(settings: "Settings") -> str:
    return users_url(url=settings.url, routing=settings.routing, host=settings.host, tls_secret=settings.tls_secret)


def of_users(settings: "Settings", *, url: str = "", color_header: str = "") -> "Entrance | None":
    """Where users enter: `url`, or what the config says; None if neither says it.

    `color_header` is the response header with the color. Without it that is the route's (istio); the selector has none.
    """
    return _entrance(settings, url or _url(settings), color_header)


def of_testers(settings: "Settings", *, url: str = "", test_url: str = "", color_header: str = "") -> "Entrance | None":
    """Where testers enter: with istio where users do, with the test cookie; with the selector at `test_url`."""
    if settings.routing != "istio":
        return _entrance(settings, test_url, color_header)
    return _entrance(settings, url or _url(settings), color_header, cookie=settings.test_cookie)


def _entrance(settings: "Settings", url: str, color_header: str, cookie: str = "") -> "Entrance | None":
    if not url:
        return None
    from release.probe import Entrance  # here, because the program imports this module and rarely sends a request

    is_istio = settings.routing == "istio"
    host = settings.host if is_istio and not settings.host.startswith("*") else ""
    return Entrance(url=url, host=host, cookie=cookie, color_header=color_header or ("x-color" if is_istio else ""))

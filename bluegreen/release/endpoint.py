"""Where users and testers enter an environment, by its settings: the same for the program and for the command."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bluegreen.release.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where requests enter. `host` and `cookie` are sent if not empty; `color_header` is the response header with the color."""

    url: str
    host: str = ""
    cookie: str = ""
    color_header: str = "x-color"


def users_url(*, url: str, routing: str, host: str, tls_secret: str) -> str:
    """The URL of the users, from `url` or (istio) from a `host` that is no wildcard; empty if the settings have neither."""
    if url or routing != "istio" or host.startswith("*"):
        return url
    return f"{'https' if tls_secret else 'http'}://{host}"


def _url(settings: "Settings") -> str:
    return users_url(url=settings.url, routing=settings.routing, host=settings.host, tls_secret=settings.tls_secret)


def of_users(settings: "Settings", *, url: str = "", color_header: str = "") -> Endpoint | None:
    """Where users enter: `url`, or what the config says; None if neither says it.

    `color_header` is the response header with the color. Without it that is the route's (istio); the selector has none.
    """
    return _endpoint(settings, url or _url(settings), color_header)


def of_testers(settings: "Settings", *, url: str = "", test_url: str = "", color_header: str = "") -> Endpoint | None:
    """Where testers enter: with istio where users do, with the test cookie; with the selector at `test_url`."""
    if settings.routing != "istio":
        return _endpoint(settings, test_url, color_header)
    return _endpoint(settings, url or _url(settings), color_header, cookie=settings.test_cookie)


def _endpoint(settings: "Settings", url: str, color_header: str, cookie: str = "") -> Endpoint | None:
    if not url:
        return None
    is_istio = settings.routing == "istio"
    host = settings.host if is_istio and not settings.host.startswith("*") else ""
    return Endpoint(url=url, host=host, cookie=cookie, color_header=color_header or ("x-color" if is_istio else ""))

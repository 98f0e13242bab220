"""Where users or testers enter an environment. The routing layer knows where that is."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where requests enter. `host` and `cookie` are sent if not empty; `color_header` is the response header with the color."""

    url: str
    host: str = ""
    cookie: str = ""
    color_header: str = ""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the command line says about the endpoints: the URL of the users, that of the testers if it is another one, and the
    response header with the color. Each is empty if it is not given."""

    url: str = ""
    test_url: str = ""
    color_header: str = ""


NOTHING_GIVEN = Given()

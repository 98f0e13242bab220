"""Turns the user of a kubeconfig into request headers and a client certificate.

It knows the ways that the provider's own client (client-go) knows: certificates, tokens, a password, credential plugins
(https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins), and the id-token of the
auth-provider oidc as long as it is valid.
"""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError

# How long a token that was read from a file is used, as in client-go: its writer renews it in time.
_FILE_SECONDS = 60

# How long before their end credentials are renewed, so that they do not end on the way to the API server.
_MARGIN_SECONDS = 10

# What client-go escapes in the name of a header is everything but this and letters and digits.
_HEADER_NAME = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """Credentials: the headers of every request, and a certificate with its key (PEM), empty without one.

    They are to be used for `seconds` from now on, and no longer if the API server refuses them.
    """

    headers: tuple[tuple[str, str], ...]
    certificate: str = ""
    seconds: float = math.inf


@dataclass(frozen=True, kw_only=True)
class _Parts:
    authorization: str = ""
    certificate: str = ""
    key: str = ""
    seconds: float = math.inf


def read_credentials(config: ClusterConfig, *, is_secure: bool = True) -> Credentials:
    """The credentials of a user. Runs the user's credential plugin if there is one. Raises `KubeconfigError`.

    For a server without TLS there are none, as in client-go: everybody on the way could read them.
    """
    found = _parts(config) if is_secure else _Parts()
    headers = [("Authorization", found.authorization)] if found.authorization else []
    headers += _impersonation(config.user)
    for name, value in headers:
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value):
            raise KubeconfigError(f"the user of the kubeconfig has a line break or another control character in {name}")
    certificate = f"{found.certificate}\n{found.key}".strip()
    return Credentials(headers=tuple(headers), certificate=certificate, seconds=found.seconds)


def basic(name: str, password: str) -> str:
    """A name and a password as the value of a header."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode(errors='replace')).decode()}"


def pem(entry: Mapping[str, Any], key: str) -> str:
    """A certificate or key that stands in an entry itself or in a file that it names; empty when it has none.

    Raises `KubeconfigError`.
    """
    data = entry.get(f"{key}-data")
    if not data:
        return _text(entry[key]) if entry.get(key) else ""
    try:
        return base64.b64decode(data).decode()
    except ValueError:
        raise KubeconfigError(f"the {key}-data of the kubeconfig is not what it must be: text in base64") from None


def remaining(until: datetime) -> float:
    """For how many seconds credentials that end then are to be used.

    If they have ended already, by the clock of this machine, the clock may be wrong: the API server will tell.
    """
    left = (until - datetime.now(UTC)).total_seconds()
    return left - min(_MARGIN_SECONDS, left / 2) if left > 0 else math.inf


def _parts(config: ClusterConfig) -> _Parts:
    """What stands in the kubeconfig comes before what a plugin gives, as in client-go."""
    user = config.user
    if user.get("exec") and user.get("auth-provider"):
        raise KubeconfigError("the user of the kubeconfig has both exec and auth-provider, and may have one of them only")
    certificate, key = pem(user, "client-certificate"), pem(user, "client-key")
    if token := _token(user):
        seconds = _FILE_SECONDS if user.get("tokenFile") else math.inf
        return _Parts(authorization=f"Bearer {token}", certificate=certificate, key=key, seconds=seconds)
    if user.get("username"):
        authorization = basic(user["username"], user.get("password") or "")
        return _Parts(authorization=authorization, certificate=certificate, key=key)
    if certificate:
        return _Parts(certificate=certificate, key=key)
    if user.get("exec"):
        return _by_plugin(config)
    return _by_provider(user["auth-provider"]) if user.get("auth-provider") else _Parts()


def _by_plugin(config: ClusterConfig) -> _Parts:
    from bluegreen.kube.plugin import credential

    found = credential(config.user["exec"], config.cluster)
    return _Parts(
        authorization=f"Bearer {found.token}" if found.token else "",
        certificate=found.certificate,
        key=found.key,
        seconds=remaining(found.until) if found.until else math.inf,
    )


def _by_provider(provider: Mapping[str, Any]) -> _Parts:
    """The id-token of the auth-provider oidc. It is not renewed here."""
    name = provider["name"]
    if name != "oidc":
        raise KubeconfigError(
            f"the user of the kubeconfig has the auth-provider {name}, which Kubernetes clients no longer have (since 1.26). "
            "Log in with a credential plugin instead (exec), such as gke-gcloud-auth-plugin or kubelogin"
        )
    token = (provider.get("config") or {}).get("id-token") or ""
    until = _end_of(token)
    if until is None or until <= datetime.now(UTC):
        problem = f"ended at {until:%Y-%m-%d %H:%M:%S %Z}" if until else "is missing, or is no token"
        raise KubeconfigError(
            f"the id-token of the auth-provider oidc {problem}, and this program does not renew it. kubectl renews it in the "
            "kubeconfig: run kubectl get pods once; or use a credential plugin (exec) such as kubectl oidc-login"
        )
    return _Parts(authorization=f"Bearer {token}", seconds=remaining(until))


def _end_of(token: str) -> datetime | None:
    """When a JSON Web Token ends, or None when it is none, or does not say."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (IndexError, ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def _impersonation(user: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    extra = [(name, value) for name, values in (user.get("as-user-extra") or {}).items() for value in values]
    if not user.get("as"):
        if user.get("as-uid") or user.get("as-groups") or extra:
            raise KubeconfigError("the user of the kubeconfig has as-uid, as-groups or as-user-extra without as")
        return
    yield "Impersonate-User", user["as"]
    if user.get("as-uid"):
        yield "Impersonate-Uid", user["as-uid"]
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", group
    for name, value in extra:
        yield f"Impersonate-Extra-{quote(name, safe=_HEADER_NAME, errors='replace')}", value


def _token(user: Mapping[str, Any]) -> str:
    """The file's, which the cluster renews; the one in the kubeconfig if there is no file, or it cannot be read."""
    token: str = user.get("token") or ""
    try:
        return (_text(user["tokenFile"]).strip() if user.get("tokenFile") else "") or token
    except KubeconfigError:
        if not token:
            raise
        return token


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a name that no file can have
        raise KubeconfigError(f"the kubeconfig names a file that cannot be read: {error}") from None

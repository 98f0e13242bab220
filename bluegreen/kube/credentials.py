"""Turns the user of a kubeconfig into request headers and a client certificate.

Supports what the provider's own client (client-go) supports, with the same precedence: certificates, tokens, a password,
credential plugins (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins), and
the id-token of the auth-provider oidc while it is valid. Never writes to the kubeconfig, and puts no secret into a message.
"""

import base64
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from bluegreen.kube.kubeconfig import ClusterConfig, KubeconfigError
from bluegreen.kube.pem import pem, text_of

# A token file is read again after this time, as in client-go; its writer renews the token well before it expires.
_FILE_SECONDS = 60

# Credentials are renewed this long before they expire, so that they do not expire on the way to the API server.
_MARGIN_SECONDS = 10

# In header names client-go escapes everything but letters, digits and these.
_HEADER_NAME = "!#$&'*+-.^_`|~"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """The headers of every request, and a client certificate with its key (PEM, empty without one).

    Use them for `seconds` after they were read, and not after a 401.
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
    """The credentials of the config's user. Runs the user's credential plugin if there is one. Raises `KubeconfigError`.

    Without TLS (`is_secure` is false) no credentials are sent, as in client-go: anyone on the network could read them.
    """
    parts = _parts(config) if is_secure else _Parts()
    headers = [("Authorization", parts.authorization)] if parts.authorization else []
    headers += _impersonation(config.user)
    for name, value in headers:
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]", value):
            raise KubeconfigError(f"the user of the kubeconfig has a line break or another control character in {name}")
    certificate = f"{parts.certificate}\n{parts.key}".strip()
    return Credentials(headers=tuple(headers), certificate=certificate, seconds=parts.seconds)


def basic(name: str, password: str) -> str:
    """The value of the Authorization header for a name and a password."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode(errors='replace')).decode()}"


def seconds_until_renewal(expiry: datetime) -> float:
    """How long to use credentials that expire at `expiry`, in seconds.

    Infinite if they have expired already: this machine's clock may be wrong, and the API server responds 401 if they have.
    """
    left = (expiry - datetime.now(UTC)).total_seconds()
    return left - min(_MARGIN_SECONDS, left / 2) if left > 0 else math.inf


def _parts(config: ClusterConfig) -> _Parts:
    """Credentials in the kubeconfig take precedence over a plugin, as in client-go."""
    user = config.user
    if user.get("exec") and user.get("auth-provider"):
        raise KubeconfigError("the user of the kubeconfig has both exec and auth-provider; only one of them is allowed")
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
        return _from_plugin(config)
    return _from_auth_provider(user["auth-provider"]) if user.get("auth-provider") else _Parts()


def _from_plugin(config: ClusterConfig) -> _Parts:
    from bluegreen.kube.plugin import run_plugin

    credential = run_plugin(config.user["exec"], config.cluster)
    return _Parts(
        authorization=f"Bearer {credential.token}" if credential.token else "",
        certificate=credential.certificate,
        key=credential.key,
        seconds=seconds_until_renewal(credential.expiry) if credential.expiry else math.inf,
    )


def _from_auth_provider(provider: Mapping[str, Any]) -> _Parts:
    """The id-token of the auth-provider oidc. It is not renewed here."""
    name = provider["name"]
    if name != "oidc":
        raise KubeconfigError(
            f"the user of the kubeconfig has the auth-provider {name}, which Kubernetes clients removed in 1.26. "
            "Use a credential plugin instead (exec), such as gke-gcloud-auth-plugin or kubelogin"
        )
    token = (provider.get("config") or {}).get("id-token") or ""
    expiry = _expiry(token)
    if expiry is None or expiry <= datetime.now(UTC):
        problem = f"expired at {expiry:%Y-%m-%d %H:%M:%S %Z}" if expiry else "is missing or invalid"
        raise KubeconfigError(
            f"the id-token of the auth-provider oidc {problem}, and this program does not renew it. kubectl renews it in the "
            "kubeconfig: run kubectl get pods once; or use a credential plugin (exec) such as kubectl oidc-login"
        )
    return _Parts(authorization=f"Bearer {token}", seconds=seconds_until_renewal(expiry))


def _expiry(token: str) -> datetime | None:
    """When a JSON Web Token expires; None if it is not one, or has no `exp`."""
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
            raise KubeconfigError("the user of the kubeconfig has as-uid, as-groups or as-user-extra, but not as")
        return
    yield "Impersonate-User", user["as"]
    if user.get("as-uid"):
        yield "Impersonate-Uid", user["as-uid"]
    for group in user.get("as-groups") or ():
        yield "Impersonate-Group", group
    for name, value in extra:
        yield f"Impersonate-Extra-{quote(name, safe=_HEADER_NAME, errors='replace')}", value


def _token(user: Mapping[str, Any]) -> str:
    """The token in `tokenFile`, which the cluster renews; `token` if there is no file, or it cannot be read."""
    token: str = user.get("token") or ""
    try:
        return (text_of(user["tokenFile"]).strip() if user.get("tokenFile") else "") or token
    except KubeconfigError:
        if not token:
            raise
        return token

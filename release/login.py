"""Who asks the API server: the user of a kubeconfig, as headers and as a client certificate.

Every way that the provider's own client knows and that still exists: certificates, tokens, a password, and the plugins that
cloud providers bring (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins).
"""

import base64
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.kubeconfig import Access, KubeconfigError

# What a plugin may want to know of the cluster.
_TOLD = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")


@dataclass(frozen=True, kw_only=True)
class Login:
    """What shows who asks: headers of every request, and a certificate with its key (PEM), empty without one."""

    headers: tuple[tuple[str, str], ...]
    certificate: str = ""


def login(access: Access) -> Login:
    """The login of a user, by running its plugin where it has one. Raises `KubeconfigError`."""
    user = access.user
    if "auth-provider" in user:
        raise KubeconfigError("the user has an auth-provider, which Kubernetes 1.26 removed; its login needs an exec plugin")
    given = _by_plugin(user["exec"], access.cluster) if user.get("exec") else {}
    headers = []
    if token := _token(user) or given.get("token"):
        headers.append(("Authorization", f"Bearer {token}"))
    elif user.get("username"):
        headers.append(("Authorization", basic(user["username"], user.get("password", ""))))
    for key, header in (("as", "Impersonate-User"), ("as-uid", "Impersonate-Uid")):
        if user.get(key):
            headers.append((header, user[key]))
    headers += [("Impersonate-Group", group) for group in user.get("as-groups") or ()]
    certificate = pem(user, "client-certificate") or given.get("clientCertificateData", "")
    key = pem(user, "client-key") or given.get("clientKeyData", "")
    return Login(headers=tuple(headers), certificate=f"{certificate}\n{key}".strip())


def basic(name: str, password: str) -> str:
    """A name and a password as the value of a header."""
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def pem(entry: Mapping[str, Any], key: str) -> str:
    """A certificate or key that stands in an entry itself or in a file that it names; empty when it has none."""
    if data := entry.get(f"{key}-data"):
        return base64.b64decode(data).decode()
    return _text(entry[key]) if entry.get(key) else ""


def _token(user: Mapping[str, Any]) -> str:
    """The file's, which the cluster renews, before the one that stands there."""
    return _text(user["tokenFile"]).strip() if user.get("tokenFile") else user.get("token") or ""


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"the kubeconfig names a file that cannot be read: {error}") from None


def _by_plugin(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> Mapping[str, str]:
    command = plugin["command"]
    spec: dict[str, Any] = {"interactive": False}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = {key: cluster[key] for key in _TOLD if key in cluster}
        if authority := pem(cluster, "certificate-authority"):
            spec["cluster"]["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
        for each in cluster.get("extensions") or ():
            if each["name"] == "client.authentication.k8s.io/exec":
                spec["cluster"]["config"] = each["extension"]
    asked = {"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": spec}
    variables = {each["name"]: each["value"] for each in plugin.get("env") or ()}
    try:
        ran = subprocess.run(
            [command, *(plugin.get("args") or ())],
            env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
        )
        status: Mapping[str, str] = json.loads(ran.stdout)["status"]
    except OSError as error:
        hint = f"\n{plugin['installHint'].strip()}" if plugin.get("installHint") else ""
        raise KubeconfigError(f"the login plugin {command} cannot be run: {error.strerror}{hint}") from None
    except subprocess.CalledProcessError as error:
        raise KubeconfigError(f"the login plugin {command} failed: {(error.stderr or error.stdout).strip()}") from None
    except (ValueError, KeyError, TypeError):
        raise KubeconfigError(f"the login plugin {command} did not answer with an ExecCredential") from None
    return status

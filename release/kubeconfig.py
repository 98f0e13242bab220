"""Where the cluster is and who asks: a context of the kubeconfig, or in a pod its service account, as kubectl reads them.

The format is that of https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/, and so is the order: the files of
KUBECONFIG together, of which the first to name a thing wins, otherwise the usual file.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# Where a pod finds its credentials.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Values that name a file: where they are relative, it is to the file that they stand in.
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubeconfigError(Exception):
    """There is no such context, or what it says cannot be used. The message says which, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A cluster and a user, with the keys of the kubeconfig. Paths in them are absolute."""

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]


def access(context: str) -> Access:
    """What a context says, the current one when `context` is empty. Raises `KubeconfigError`."""
    try:
        return _access(context)
    except (AttributeError, KeyError, TypeError) as error:
        raise KubeconfigError(f"the kubeconfig is not as Kubernetes defines it: {error!r}") from None


def _access(context: str) -> Access:
    names = os.environ.get("KUBECONFIG") or "~/.kube/config"
    files = [path for name in names.split(os.pathsep) if name and (path := Path(name).expanduser()).is_file()]
    read = [(file.absolute().parent, _content(file)) for file in files]
    context = context or next((current for _, content in read if (current := content.get("current-context"))), "")
    if not context and SERVICE_ACCOUNT.exists():
        return _of_service_account()
    contexts = _entries(read, "context")
    if context not in contexts:
        raise KubeconfigError(f"no file of {names} has {f'the context {context}' if context else 'a current context'}")
    found = contexts[context]
    return Access(
        cluster=_named(read, "cluster", found.get("cluster"), context),
        user=_named(read, "user", found["user"], context) if found.get("user") else {},
    )


def _content(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {error}") from None
    return content or {}


def _entries(read: Iterable[tuple[Path, Mapping[str, Any]]], kind: str) -> dict[str, Mapping[str, Any]]:
    """The entries of one kind of all files, by name; the first one wins."""
    found: dict[str, Mapping[str, Any]] = {}
    for folder, content in read:
        for entry in content.get(f"{kind}s") or ():
            found.setdefault(entry["name"], _resolved(entry.get(kind) or {}, folder))
    return found


def _named(read: Iterable[tuple[Path, Mapping[str, Any]]], kind: str, name: Any, context: str) -> Mapping[str, Any]:
    entries = _entries(read, kind)
    if name not in entries:
        raise KubeconfigError(f"the context {context} names the {kind} {name}, which no file of the kubeconfig has")
    return entries[name]


def _resolved(entry: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = {key: str(folder / value) if key in _PATHS and value else value for key, value in entry.items()}
    if (plugin := found.get("exec")) and "/" in plugin["command"]:
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


def _of_service_account() -> Access:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return Access(
        cluster={
            "server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            "certificate-authority": str(SERVICE_ACCOUNT / "ca.crt"),
        },
        user={"tokenFile": str(SERVICE_ACCOUNT / "token")},
    )

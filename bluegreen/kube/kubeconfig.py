"""Reads the cluster and the user of a kubeconfig context, or of a pod's service account, as kubectl does.

Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/. The files in KUBECONFIG are merged, and the first one
that defines a name wins; without KUBECONFIG it is ~/.kube/config. Values are checked here, so that other modules can rely on
their types. Nothing here connects, and no error message may contain a line of the file: it may hold a secret.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# Where a pod finds its credentials.
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

# Keys whose values are file paths. A relative path is relative to the kubeconfig file that contains it.
_PATHS = ("certificate-authority", "client-certificate", "client-key", "tokenFile")

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubeconfigError(Exception):
    """A context does not exist, or the kubeconfig is invalid. The message names the file and key, and says what to do."""


@dataclass(frozen=True, kw_only=True)
class ClusterConfig:
    """The cluster and the user of one context, with the keys of the kubeconfig.

    Paths are absolute. Every key that this program reads has the type that Kubernetes defines, or is absent. `context` is the
    context's name, empty for the service account of a pod.
    """

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    context: str = ""


# Checks the value at a place (file and key), and returns it without null entries. Raises `KubeconfigError`.
Shape = Callable[[Any, str], Any]


def _of_type(expected: type, description: str) -> Shape:
    def check(value: Any, place: str) -> Any:
        if type(value) is not expected:
            raise KubeconfigError(f"{place} must be {description}")
        return value

    return check


_text = _of_type(str, "text (a number or a word such as true or null needs quotes)")
_flag = _of_type(bool, "true or false")


def _anything(value: Any, _: str) -> Any:
    return value


def _list(item: Shape) -> Shape:
    def check(value: Any, place: str) -> list[Any]:
        if type(value) is not list:
            raise KubeconfigError(f"{place} must be a list")
        return [item(element, f"{place}[{index}]") for index, element in enumerate(value)]

    return check


def _map(item: Shape) -> Shape:
    def check(value: Any, place: str) -> dict[str, Any]:
        return {name: item(entry, f"{place}.{name}") for name, entry in _mapping(value, place).items() if entry is not None}

    return check


def _record(shapes: Mapping[str, Shape], *required: str) -> Shape:
    """A mapping with these keys; other keys are kept unchecked."""

    def check(value: Any, place: str) -> dict[str, Any]:
        entries = {name: entry for name, entry in _mapping(value, place).items() if entry is not None}
        for name in required:
            if name not in entries:
                raise KubeconfigError(f"{place} has no {name}")
        return {name: shapes.get(name, _anything)(entry, f"{place}.{name}") for name, entry in entries.items()}

    return check


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if type(value) is not dict or not all(type(name) is str for name in value):
        raise KubeconfigError(f"{place} must be a mapping")
    return value


_PLUGIN = _record(
    {
        "apiVersion": _text,
        "command": _text,
        "args": _list(_text),
        "env": _list(_record({"name": _text, "value": _text}, "name")),
        "installHint": _text,
        "interactiveMode": _text,
        "provideClusterInfo": _flag,
    },
    "command",
)

_SHAPES: Mapping[str, Shape] = {
    "context": _record({"cluster": _text, "user": _text}),
    "cluster": _record(
        {
            "server": _text,
            "tls-server-name": _text,
            "insecure-skip-tls-verify": _flag,
            "certificate-authority": _text,
            "certificate-authority-data": _text,
            "proxy-url": _text,
            "extensions": _list(_record({"name": _text}, "name")),
        }
    ),
    "user": _record(
        {
            "client-certificate": _text,
            "client-certificate-data": _text,
            "client-key": _text,
            "client-key-data": _text,
            "token": _text,
            "tokenFile": _text,
            "username": _text,
            "password": _text,
            "as": _text,
            "as-uid": _text,
            "as-groups": _list(_text),
            "as-user-extra": _map(_list(_text)),
            "exec": _PLUGIN,
            "auth-provider": _record({"name": _text, "config": _map(_text)}, "name"),
        }
    ),
}


@dataclass(frozen=True, kw_only=True)
class _File:
    """One kubeconfig file and its content."""

    path: Path
    content: Mapping[str, Any]

    def entries(self, kind: str) -> Iterable[tuple[str, Any]]:
        """Name and value of every entry of one kind (`cluster`, `context`, `user`)."""
        place = f"{self.path}: {kind}s"
        for entry in _list(_record({"name": _text}, "name"))(self.content.get(f"{kind}s") or [], place):
            yield entry["name"], entry.get(kind) or {}


def read_cluster_config(context: str) -> ClusterConfig:
    """The cluster and the user of `context`, or of the current context if it is empty.

    In a pod without a kubeconfig it is the pod's service account. Raises `KubeconfigError`.
    """
    variable = os.environ.get("KUBECONFIG") or ""
    files = [_File(path=path, content=_content(path)) for path in _paths(variable) if _is_file(path)]
    context = context or next(filter(None, map(_current_context, files)), "")
    if not context and SERVICE_ACCOUNT.exists():
        return _service_account_config()
    searched = variable or "~/.kube/config"
    if not context:
        raise KubeconfigError(f"no file of {searched} has a current context; name one with bluegreen:context")
    entry = _entry(files, "context", context)
    if entry is None:
        raise KubeconfigError(f"no file of {searched} has the context {context}")
    return ClusterConfig(
        cluster=_required_entry(files, "cluster", entry.get("cluster", ""), context),
        user=_required_entry(files, "user", entry["user"], context) if entry.get("user") else {},
        context=context,
    )


def _paths(variable: str) -> list[Path]:
    if variable:
        return [Path(name).absolute() for name in variable.split(os.pathsep) if name]
    try:
        return [Path("~/.kube/config").expanduser()]
    except RuntimeError:  # this user has no home directory
        return []


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError) as error:
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {error}") from None


def _content(file: Path) -> Mapping[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {error}") from None
    try:
        content = yaml.load(text, Loader=_LOADER)
    except Exception as error:  # yaml raises more than YAMLError: `!!int ""` is an IndexError
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {_problem(error)}") from None
    return _mapping({} if content is None else content, f"the kubeconfig {file}")


def _problem(error: Exception) -> str:
    """The YAML error and its line number, without the line itself, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or f"it is not YAML ({type(error).__name__})"
    return f"{problem}, in line {mark.line + 1}" if mark else problem


def _current_context(file: _File) -> str:
    name = file.content.get("current-context")
    return "" if name is None else str(_text(name, f"{file.path}: current-context"))


def _entry(files: Sequence[_File], kind: str, name: str) -> Mapping[str, Any] | None:
    """The first entry with this name, checked, with absolute paths; None if there is none."""
    for file in files:
        for entry_name, entry in file.entries(kind):
            if entry_name == name:
                checked: Mapping[str, Any] = _SHAPES[kind](entry, f"{file.path}: the {kind} {name}")
                return _with_absolute_paths(checked, file.path.parent)
    return None


def _required_entry(files: Sequence[_File], kind: str, name: str, context: str) -> Mapping[str, Any]:
    entry = _entry(files, kind, name)
    if entry is None:
        raise KubeconfigError(f"the context {context} names the {kind} {name}, which no file of the kubeconfig defines")
    return entry


def _with_absolute_paths(entry: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    resolved: dict[str, Any] = {key: str(folder / value) if key in _PATHS and value else value for key, value in entry.items()}
    # A command without a slash is looked up in PATH.
    if (plugin := resolved.get("exec")) and "/" in plugin["command"]:
        resolved["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return resolved


def _service_account_config() -> ClusterConfig:
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    except KeyError as error:
        raise KubeconfigError(
            f"there is no kubeconfig, and this pod has a service account but not the variable {error.args[0]}, so the address "
            "of the API server is unknown"
        ) from None
    return ClusterConfig(
        cluster={
            "server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            "certificate-authority": str(SERVICE_ACCOUNT / "ca.crt"),
        },
        user={"tokenFile": str(SERVICE_ACCOUNT / "token")},
    )

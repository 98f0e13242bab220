"""Which cluster, as which user: a context of the kubeconfig, or in a pod its service account, as kubectl reads them.

The format is that of https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/, and so is the order: the files of
KUBECONFIG together, of which the first to name a thing wins, otherwise the usual file.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
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
class ClusterConfig:
    """A cluster and a user, with the keys of the kubeconfig.

    Paths are absolute. Every key that this program reads has the type that Kubernetes defines, or is absent. `context` is the
    name of the context, empty for the service account of a pod.
    """

    cluster: Mapping[str, Any]
    user: Mapping[str, Any]
    context: str = ""


# Checks a value found at a place, and returns it without what is null in it. Raises `KubeconfigError`.
Shape = Callable[[Any, str], Any]


def _of_type(wanted: type, words: str) -> Shape:
    def check(value: Any, place: str) -> Any:
        if type(value) is not wanted:
            raise KubeconfigError(f"{place} must be {words}")
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
        return [item(found, f"{place}[{index}]") for index, found in enumerate(value)]

    return check


def _map(item: Shape) -> Shape:
    def check(value: Any, place: str) -> dict[str, Any]:
        return {name: item(found, f"{place}.{name}") for name, found in _mapping(value, place).items() if found is not None}

    return check


def _record(shapes: Mapping[str, Shape], *required: str) -> Shape:
    """A mapping with these keys; other keys are kept as they are."""

    def check(value: Any, place: str) -> dict[str, Any]:
        given = {name: found for name, found in _mapping(value, place).items() if found is not None}
        for name in required:
            if name not in given:
                raise KubeconfigError(f"{place} has no {name}")
        return {name: shapes.get(name, _anything)(found, f"{place}.{name}") for name, found in given.items()}

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
    """One file of the kubeconfig, and what stands in it."""

    path: Path
    content: Mapping[str, Any]

    def entries(self, kind: str) -> Iterable[tuple[str, Any]]:
        """The names of all entries of one kind (`cluster`, `context`, `user`), and what they hold."""
        place = f"{self.path}: {kind}s"
        for entry in _list(_record({"name": _text}, "name"))(self.content.get(f"{kind}s") or [], place):
            yield entry["name"], entry.get(kind) or {}


def read_cluster_config(context: str) -> ClusterConfig:
    """What a context says, the current one when `context` is empty. Raises `KubeconfigError`."""
    names = os.environ.get("KUBECONFIG") or ""
    files = [_File(path=path, content=_content(path)) for path in _paths(names) if _is_there(path)]
    context = context or next(filter(None, map(_current, files)), "")
    if not context and SERVICE_ACCOUNT.exists():
        return _of_service_account()
    looked_in = names or "~/.kube/config"
    if not context:
        raise KubeconfigError(f"no file of {looked_in} has a current context; name one with bluegreen:context")
    found = _entry(files, "context", context)
    if found is None:
        raise KubeconfigError(f"no file of {looked_in} has the context {context}")
    return ClusterConfig(
        cluster=_named(files, "cluster", found.get("cluster", ""), context),
        user=_named(files, "user", found["user"], context) if found.get("user") else {},
        context=context,
    )


def _paths(names: str) -> list[Path]:
    if names:
        return [Path(name).absolute() for name in names.split(os.pathsep) if name]
    try:
        return [Path("~/.kube/config").expanduser()]
    except RuntimeError:  # a user without a home
        return []


def _is_there(file: Path) -> bool:
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
    except Exception as error:  # the library lets more out than its own errors: `!!int ""` is an IndexError
        raise KubeconfigError(f"the kubeconfig {file} cannot be read: {_problem(error)}") from None
    return _mapping({} if content is None else content, f"the kubeconfig {file}")


def _problem(error: Exception) -> str:
    """What is wrong with YAML and where, without the line itself, which may hold a secret."""
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or f"it is not YAML ({type(error).__name__})"
    return f"{what}, in line {mark.line + 1}" if mark else what


def _current(file: _File) -> str:
    found = file.content.get("current-context")
    return "" if found is None else str(_text(found, f"{file.path}: current-context"))


def _entry(files: Sequence[_File], kind: str, name: str) -> Mapping[str, Any] | None:
    """The entry of this name, checked; the first one wins."""
    for file in files:
        for found, entry in file.entries(kind):
            if found == name:
                checked: Mapping[str, Any] = _SHAPES[kind](entry, f"{file.path}: the {kind} {name}")
                return _resolved(checked, file.path.parent)
    return None


def _named(files: Sequence[_File], kind: str, name: str, context: str) -> Mapping[str, Any]:
    found = _entry(files, kind, name)
    if found is None:
        raise KubeconfigError(f"the context {context} names the {kind} {name}, which no file of the kubeconfig has")
    return found


def _resolved(entry: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = {key: str(folder / value) if key in _PATHS and value else value for key, value in entry.items()}
    if (plugin := found.get("exec")) and "/" in plugin["command"]:
        found["exec"] = {**plugin, "command": str(folder / plugin["command"])}
    return found


def _of_service_account() -> ClusterConfig:
    try:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    except KeyError as error:
        raise KubeconfigError(
            f"there is no kubeconfig, and this pod has a service account but not the variable {error.args[0]} that says where "
            "the cluster is"
        ) from None
    return ClusterConfig(
        cluster={
            "server": f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            "certificate-authority": str(SERVICE_ACCOUNT / "ca.crt"),
        },
        user={"tokenFile": str(SERVICE_ACCOUNT / "token")},
    )

"""Runs a credential plugin (`exec` of a kubeconfig user) as client-go does, but with a timeout and one retry.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
A plugin must never hang an update in silence: its stderr is passed on at once, because a person may have to act on it.
"""

import base64
import codecs
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

from bluegreen.kube.kubeconfig import KubeconfigError
from bluegreen.kube.pem import pem

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

# Timeout for a plugin, its second run included. A login that takes a person longer: log in with kubectl first.
LONGEST_SECONDS = 60

# How long to wait for the rest of the output after the plugin exited: a child process may keep the pipe open.
_REST_SECONDS = 1

# An error message contains at most this much of the plugin's stderr.
_TAIL_CHARACTERS = 2000

# The keys of the cluster that are passed to a plugin with provideClusterInfo.
_CLUSTER_KEYS = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")


@dataclass(frozen=True, kw_only=True)
class ExecCredential:
    """A token, or a certificate with its key (PEM), or both; the others are empty. `expiry` is None if it is not known."""

    token: str
    certificate: str
    key: str
    expiry: datetime | None


class _FailedError(Exception):
    """A run failed; a second one may succeed."""


def run_plugin(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> ExecCredential:
    """The credential that a plugin returns. Runs it a second time if it fails. Raises `KubeconfigError`."""
    is_interactive = _is_interactive(plugin)
    variables = _variables(plugin, cluster, is_interactive)
    deadline = time.monotonic() + LONGEST_SECONDS
    with contextlib.suppress(_FailedError):
        return _read(_run(plugin, variables, is_interactive, deadline))
    try:
        return _read(_run(plugin, variables, is_interactive, deadline))
    except _FailedError as error:
        raise KubeconfigError(f"the credential plugin {plugin['command']} {error} (it ran twice)") from None


def _is_interactive(plugin: Mapping[str, Any]) -> bool:
    """Whether the plugin gets our stdin. The default of `interactiveMode` is IfAvailable."""
    mode = plugin.get("interactiveMode") or "IfAvailable"
    if mode not in ("Never", "IfAvailable", "Always"):
        raise KubeconfigError(
            f"the exec of the kubeconfig has the interactiveMode {mode}; it may be Never, IfAvailable or Always"
        )
    is_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if mode == "Always" and not is_terminal:
        raise KubeconfigError(
            f"the credential plugin {plugin['command']} needs a terminal (interactiveMode: Always), and stdin is not one. "
            "Log in with it at a terminal first, or use credentials that need no terminal"
        )
    return mode != "Never" and is_terminal


def _variables(plugin: Mapping[str, Any], cluster: Mapping[str, Any], is_interactive: bool) -> Mapping[str, str]:
    version = plugin.get("apiVersion")
    if version not in VERSIONS:
        raise KubeconfigError(f"the exec of the kubeconfig has the apiVersion {version}; it may be {' or '.join(VERSIONS)}")
    spec: dict[str, Any] = {"interactive": is_interactive}
    if plugin.get("provideClusterInfo"):
        spec["cluster"] = _cluster_info(cluster)
    try:
        info = json.dumps({"apiVersion": version, "kind": "ExecCredential", "spec": spec}, default=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise KubeconfigError(f"the extensions of the kubeconfig's cluster cannot be written as JSON: {error}") from None
    own = {entry["name"]: entry.get("value") or "" for entry in plugin.get("env") or ()}
    return {**os.environ, **own, "KUBERNETES_EXEC_INFO": info}


def _cluster_info(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    info = {key: cluster[key] for key in _CLUSTER_KEYS if key in cluster}
    if authority := pem(cluster, "certificate-authority"):
        info["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
    for extension in cluster.get("extensions") or ():
        if extension["name"] == "client.authentication.k8s.io/exec":
            info["config"] = extension.get("extension")
    return info


def _run(plugin: Mapping[str, Any], variables: Mapping[str, str], is_interactive: bool, deadline: float) -> bytes:
    """The plugin's stdout. Its stderr goes to ours while it runs."""
    process = _start(plugin, variables, is_interactive)
    stdout, stderr = _Reader(process.stdout), _Reader(process.stderr, is_shown=True)
    try:
        status = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process, is_interactive)
        raise KubeconfigError(
            f"the credential plugin {plugin['command']} did not end within {LONGEST_SECONDS} s and was stopped{stderr.tail()}\n"
            "Run it by hand, for example with kubectl get pods, and log in there if it prompts for it"
        ) from None
    except BaseException:  # Ctrl-C
        _kill(process, is_interactive)
        raise
    output = stdout.read()
    if status:
        raise _FailedError(f"failed with exit status {status}{stderr.tail() or stdout.tail()}")
    return output


def _start(plugin: Mapping[str, Any], variables: Mapping[str, str], is_interactive: bool) -> subprocess.Popen[bytes]:
    command = plugin["command"]
    try:
        return subprocess.Popen(
            [command, *(plugin.get("args") or ())],
            env=variables,
            stdin=None if is_interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # A session of its own, so that its children can be killed with it. An interactive plugin needs our terminal.
            start_new_session=not is_interactive,
        )
    except OSError as error:
        hint = f"\n{plugin['installHint'].strip()}" if plugin.get("installHint") else ""
        raise KubeconfigError(f"the credential plugin {command} cannot be run: {error.strerror}{hint}") from None
    except ValueError as error:  # a null byte, an equals sign in the name of a variable
        raise KubeconfigError(f"the credential plugin {command!r} cannot be run: {error}") from None


def _kill(process: subprocess.Popen[bytes], is_interactive: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if is_interactive:
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


class _Reader:
    """Reads a pipe to its end in a thread. With `is_shown` it copies the data to our stderr as it arrives."""

    def __init__(self, pipe: IO[bytes] | None, *, is_shown: bool = False) -> None:
        self._pipe = pipe
        self._is_shown = is_shown
        self._data = b""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        assert self._pipe is not None
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._data += chunk
                if self._is_shown and sys.stderr is not None:
                    with contextlib.suppress(OSError, ValueError):  # our stderr is closed
                        print(decoder.decode(chunk), end="", file=sys.stderr, flush=True)

    def read(self) -> bytes:
        """Everything that was written to the pipe."""
        self._thread.join(_REST_SECONDS)
        return self._data

    def tail(self) -> str:
        """The end of the data, preceded by a colon, as the end of a message; empty without data."""
        text = self.read().decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        return f": {text}" if text else ""


def _read(output: bytes) -> ExecCredential:
    """The ExecCredential in a plugin's output. Raises `_FailedError`."""
    try:
        status = json.loads(output)["status"]
        values = {key: status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")}
        expiry = _time(status.get("expirationTimestamp"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _FailedError("did not write an ExecCredential with a status") from None
    if not all(isinstance(value, str) for value in values.values()):
        raise _FailedError("wrote an ExecCredential whose token or certificate is not text")
    token, certificate, key = values.values()
    if not token and not certificate:
        raise _FailedError("wrote an ExecCredential with neither a token nor a certificate")
    if bool(certificate) != bool(key):
        raise _FailedError("wrote an ExecCredential with a certificate or a key, but not both")
    return ExecCredential(token=token, certificate=certificate, key=key, expiry=expiry)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)

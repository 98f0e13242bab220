"""Runs a credential plugin: `exec` of a kubeconfig user, as client-go does.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
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

from bluegreen.kube.credentials import pem
from bluegreen.kube.kubeconfig import KubeconfigError

VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

# A plugin may take this long, its second attempt included. Who needs longer for a code logs in with kubectl first.
LONGEST_SECONDS = 60

# For what a plugin has written before it ended, when a child of it keeps its output open.
_REST_SECONDS = 1

# How much of what a plugin wrote to stderr stands in an error.
_TAIL_CHARACTERS = 2000

# What a plugin with provideClusterInfo learns about the cluster.
_CLUSTER_KEYS = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A token, or a certificate with its key (PEM), or both; the others are empty. `until` is None when it is not known."""

    token: str
    certificate: str
    key: str
    until: datetime | None


class _FailedError(Exception):
    """An attempt failed, and another one may not."""


def credential(plugin: Mapping[str, Any], cluster: Mapping[str, Any]) -> Credential:
    """What a plugin gives. One that fails runs a second time. Raises `KubeconfigError`."""
    is_interactive = _is_interactive(plugin)
    variables = _variables(plugin, cluster, is_interactive)
    until = time.monotonic() + LONGEST_SECONDS
    with contextlib.suppress(_FailedError):
        return _read(_run(plugin, variables, is_interactive, until))
    try:
        return _read(_run(plugin, variables, is_interactive, until))
    except _FailedError as error:
        raise KubeconfigError(f"the credential plugin {plugin['command']} {error} (it ran twice)") from None


def _is_interactive(plugin: Mapping[str, Any]) -> bool:
    """Whether the plugin gets our stdin. `interactiveMode` is IfAvailable when it is absent."""
    mode = plugin.get("interactiveMode") or "IfAvailable"
    if mode not in ("Never", "IfAvailable", "Always"):
        raise KubeconfigError(
            f"the exec of the kubeconfig has the interactiveMode {mode}; it may be Never, IfAvailable, Always"
        )
    is_terminal = sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    if mode == "Always" and not is_terminal:
        raise KubeconfigError(
            f"the credential plugin {plugin['command']} needs a terminal (interactiveMode: Always), and stdin is none. "
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
    found = {key: cluster[key] for key in _CLUSTER_KEYS if key in cluster}
    if authority := pem(cluster, "certificate-authority"):
        found["certificate-authority-data"] = base64.b64encode(authority.encode()).decode()
    for extension in cluster.get("extensions") or ():
        if extension["name"] == "client.authentication.k8s.io/exec":
            found["config"] = extension.get("extension")
    return found


def _run(plugin: Mapping[str, Any], variables: Mapping[str, str], is_interactive: bool, until: float) -> bytes:
    """What the plugin wrote to stdout. What it writes to stderr is passed on at once: a person may have to act on it."""
    process = _start(plugin, variables, is_interactive)
    out, err = _Reader(process.stdout), _Reader(process.stderr, shows=True)
    try:
        status = process.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        _kill(process, is_interactive)
        raise KubeconfigError(
            f"the credential plugin {plugin['command']} did not end within {LONGEST_SECONDS} s and was stopped{err.tail()}\n"
            "Run it by hand, for example with kubectl get pods, and log in there if it asks for that"
        ) from None
    except BaseException:  # Ctrl-C
        _kill(process, is_interactive)
        raise
    written = out.read()
    if status:
        raise _FailedError(f"failed with exit status {status}{err.tail() or out.tail()}")
    return written


def _start(plugin: Mapping[str, Any], variables: Mapping[str, str], is_interactive: bool) -> subprocess.Popen[bytes]:
    command = plugin["command"]
    try:
        return subprocess.Popen(
            [command, *(plugin.get("args") or ())],
            env=variables,
            stdin=None if is_interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # So that its children can be stopped with it. One that asks a person needs our terminal.
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
    """Reads a pipe to its end in the background; one that `shows` writes to our stderr what comes, as it comes."""

    def __init__(self, pipe: IO[bytes] | None, *, shows: bool = False) -> None:
        self._pipe = pipe
        self._shows = shows
        self._data = b""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        assert self._pipe is not None
        with self._pipe:
            while chunk := os.read(self._pipe.fileno(), 65536):
                self._data += chunk
                if self._shows and sys.stderr is not None:
                    with contextlib.suppress(OSError, ValueError):  # nobody reads our stderr
                        print(decoder.decode(chunk), end="", file=sys.stderr, flush=True)

    def read(self) -> bytes:
        """All that was written."""
        self._thread.join(_REST_SECONDS)
        return self._data

    def tail(self) -> str:
        """The end of what was written, as the end of a sentence."""
        text = self.read().decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        return f": {text}" if text else ""


def _read(written: bytes) -> Credential:
    """The status of the ExecCredential that a plugin wrote."""
    try:
        status = json.loads(written)["status"]
        given = {key: status.get(key) or "" for key in ("token", "clientCertificateData", "clientKeyData")}
        until = _time(status.get("expirationTimestamp"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _FailedError("did not write an ExecCredential with a status") from None
    if not all(isinstance(value, str) for value in given.values()):
        raise _FailedError("wrote an ExecCredential whose token or certificate is no text")
    token, certificate, key = given.values()
    if not token and not certificate:
        raise _FailedError("wrote an ExecCredential with neither a token nor a certificate")
    if bool(certificate) != bool(key):
        raise _FailedError("wrote an ExecCredential with a certificate or a key, but not both")
    return Credential(token=token, certificate=certificate, key=key, until=until)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=found.tzinfo or UTC)

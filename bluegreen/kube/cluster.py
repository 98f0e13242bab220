"""Reads the objects of one namespace. Nothing here writes. A `Cluster` keeps its connection, so a second read is cheap."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from bluegreen.release import metadata
from bluegreen.release.objects import Object, annotation, is_terminating, value_at

if TYPE_CHECKING:
    from datetime import datetime

    from bluegreen.kube.client import Client

T = TypeVar("T")


class LiveError(Exception):
    """The cluster cannot be read. The message says what was asked of which cluster, and why it failed."""


class Cluster:
    """The objects of one namespace.

    `context` is a context of the kubeconfig, empty for the current one. Connects and logs in on first use, once for all
    threads. Every method raises `LiveError` when the cluster does not respond, or refuses.
    """

    def __init__(self, *, context: str, namespace: str) -> None:
        self._context = context
        self._namespace = namespace
        self._connecting = Lock()
        self._client: Client | None = None

    def place(self) -> str:
        """The context and the address of the API server that everything is read from, in words."""
        return self._read("use the kubeconfig", lambda client: client.place)

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """One object, or None when it does not exist. A kind that the cluster does not have is a `LiveError`."""
        return self._read(f"read {kind} {name}", lambda client: client.get(api_version, kind, name))

    def list_objects(self, api_version: str, kind: str, /, **labels: str | None) -> list[Object]:
        """The objects with these labels; a label that is None may have any value."""
        selector = ",".join(name if value is None else f"{name}={value}" for name, value in labels.items())
        return self._read(
            f"list objects of kind {kind}", lambda client: client.list_objects(api_version, kind, labelSelector=selector)
        )

    def replica_sets(self, deployment: Object) -> list[Object]:
        """The ReplicaSets of the pod template that a Deployment asks for: none of an older template.

        The annotation identifies them: the cluster copies it from a Deployment to the ReplicaSet that it makes for it. The
        revision does not: with Recreate it is the old one until the last old pod has gone, and a crash loop that this very
        update fixes would be taken for its failure.
        """
        asked = annotation(deployment, metadata.TEMPLATE)
        found = self.list_objects("apps/v1", "ReplicaSet", **_selected(deployment))
        return [replica_set for replica_set in found if annotation(replica_set, metadata.TEMPLATE) == asked]

    def list_everywhere(self, api_version: str, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces; none without the right to list them."""
        with contextlib.suppress(LiveError):
            return self._read(f"list objects of kind {kind}", lambda client: client.list_everywhere(api_version, kind))
        return []

    def pods(self, deployment: Object, replica_sets: Sequence[Object]) -> list[Object]:
        """The pods of some ReplicaSets of a Deployment, but for those that are being deleted."""
        hashes = [value_at(replica_set, "metadata", "labels", "pod-template-hash") for replica_set in replica_sets]
        labels = _selected(deployment)
        found = [
            pod for name in hashes if name for pod in self.list_objects("v1", "Pod", **labels, **{"pod-template-hash": name})
        ]
        return [pod for pod in found if not is_terminating(pod)]

    def events_of(self, name: str) -> list[Object]:
        """The events about an object, oldest first; none if they cannot be read."""
        try:
            about = f"involvedObject.name={name}"
            found = self._read("list events", lambda client: client.list_objects("v1", "Event", fieldSelector=about))
        except LiveError:
            return []
        return sorted(found, key=lambda event: str(value_at(event, "lastTimestamp") or value_at(event, "eventTime") or ""))

    def events(self, name: str, last: int = 4) -> list[str]:
        """The `last` events about an object, oldest first, a line each; none if they cannot be read."""
        found = [(value_at(event, "reason"), value_at(event, "message")) for event in self.events_of(name)]
        return [f"{reason}: {str(message or '').strip()}" for reason, message in found[-last:]]

    def log(self, pod: str, container: str = "", last: int = 8) -> list[str]:
        """The `last` lines of a container's log; none if it never ran, or the log cannot be read.

        They are those of its present run, or of the run before if the present one has not written anything. Without a
        container it is that of a pod that has only one.
        """
        return self._log(pod, container, last, previous=False) or self._log(pod, container, last, previous=True)

    def _log(self, pod: str, container: str, last: int, *, previous: bool) -> list[str]:
        try:
            return self._read("read a log", lambda client: client.log(pod, last, container, previous=previous))
        except LiveError:
            return []

    def rights(self) -> Object:
        """The rights of the account in the namespace, as the status of a SelfSubjectRulesReview says."""
        return self._read("read the rights of the account", lambda client: client.rights())

    def now(self) -> datetime:
        """The present time of the API server (UTC, to the second). Asks for it only when nothing was read before."""
        return self._read("read the time of the API server", lambda client: client.now())

    def _read(self, what: str, read: Callable[[Client], T]) -> T:
        """What `read` returns. Only what access to a cluster can raise means that it cannot be read; a bug is a bug."""
        from bluegreen.kube.api_error import ApiError
        from bluegreen.kube.kubeconfig import KubeconfigError

        try:
            return read(self.client)
        except (ApiError, KubeconfigError) as error:
            context = f"context {self._context}" if self._context else "the current context"
            raise LiveError(f"Could not {what} in namespace {self._namespace} ({context}): {error}") from error

    @property
    def client(self) -> Client:
        """The connection, for the emergency path, which writes the route; nothing here writes. Raises `KubeconfigError`."""
        # Here, because the program asks for the provider first and reads what is live while that starts.
        from bluegreen.kube.client import Client
        from bluegreen.kube.kubeconfig import read_cluster_config

        with self._connecting:
            if self._client is None:
                self._client = Client(read_cluster_config(self._context), self._namespace)
            return self._client


def _selected(deployment: Object) -> dict[str, str]:
    """The labels by which a Deployment selects its pods. Raises `LiveError` without any: that would be all pods there are."""
    labels = value_at(deployment, "spec", "selector", "matchLabels")
    found = {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}
    if not found:
        raise LiveError(f"The Deployment {value_at(deployment, 'metadata', 'name')} has no selector, so its pods are not known")
    return found

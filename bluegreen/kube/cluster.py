"""Reads objects of one namespace, and turns every failure into one error, `LiveError`. Nothing here writes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from bluegreen.release import metadata
from bluegreen.release.objects import Api, Object, annotation, is_terminating, value_at

if TYPE_CHECKING:
    from datetime import datetime

    from bluegreen.kube.client import Client

T = TypeVar("T")


class LiveError(Exception):
    """The cluster cannot be read. The message names the operation, the namespace, the context and the reason."""


class Cluster:
    """The objects of one namespace.

    `context` is a context of the kubeconfig, empty for the current one. `apis` are API versions beside those of Kubernetes.
    Connects on first use; all threads share the connection. Unless a method says otherwise, it raises `LiveError` if the
    cluster does not respond or rejects the request.
    """

    def __init__(self, *, context: str, namespace: str, apis: Mapping[str, Api]) -> None:
        self._apis = apis
        self._context = context
        self._namespace = namespace
        self._connecting = Lock()
        self._client: Client | None = None

    def place(self) -> str:
        """The context and the URL of the API server, for messages."""
        return self._read("use the kubeconfig", lambda client: client.place)

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """One object, or None if it does not exist. A kind that the cluster does not have is a `LiveError`."""
        return self._read(f"read {kind} {name}", lambda client: client.get(api_version, kind, name))

    def list_objects(self, api_version: str, kind: str, /, **labels: str | None) -> list[Object]:
        """The objects with these labels. None as a value means: has the label, with any value."""
        selector = ",".join(name if value is None else f"{name}={value}" for name, value in labels.items())
        return self._read(
            f"list objects of kind {kind}", lambda client: client.list_objects(api_version, kind, labelSelector=selector)
        )

    def replica_sets(self, deployment: Object) -> list[Object]:
        """The ReplicaSets of a Deployment's current pod template, without those of older templates.

        Selected by our template annotation, which the Deployment controller copies to the ReplicaSet. The annotation
        `deployment.kubernetes.io/revision` is unusable: under Recreate it is stale until the last old pod is gone, so a crash
        loop that this update fixes would count as this update's failure.
        """
        template = annotation(deployment, metadata.TEMPLATE)
        replica_sets = self.list_objects("apps/v1", "ReplicaSet", **_pod_labels(deployment))
        return [replica_set for replica_set in replica_sets if annotation(replica_set, metadata.TEMPLATE) == template]

    def list_everywhere(self, api_version: str, kind: str) -> list[Object]:
        """The objects of a kind in all namespaces; empty without the right to list them. Never raises `LiveError`."""
        with contextlib.suppress(LiveError):
            return self._read(f"list objects of kind {kind}", lambda client: client.list_everywhere(api_version, kind))
        return []

    def pods(self, deployment: Object, replica_sets: Sequence[Object]) -> list[Object]:
        """The pods of these ReplicaSets of a Deployment that are not terminating."""
        labels = _pod_labels(deployment)
        pods: list[Object] = []
        for replica_set in replica_sets:
            if value := value_at(replica_set, "metadata", "labels", "pod-template-hash"):
                pods += self.list_objects("v1", "Pod", **labels, **{"pod-template-hash": value})
        return [pod for pod in pods if not is_terminating(pod)]

    def events_of(self, name: str) -> list[Object]:
        """The events about an object, oldest first; empty if they cannot be read. Never raises `LiveError`."""
        try:
            selector = f"involvedObject.name={name}"
            events = self._read("list events", lambda client: client.list_objects("v1", "Event", fieldSelector=selector))
        except LiveError:
            return []
        return sorted(events, key=lambda event: str(value_at(event, "lastTimestamp") or value_at(event, "eventTime") or ""))

    def events(self, name: str, last: int = 4) -> list[str]:
        """The `last` events about an object, oldest first, one line each; empty if they cannot be read."""
        events = [(value_at(event, "reason"), value_at(event, "message")) for event in self.events_of(name)]
        return [f"{reason}: {str(message or '').strip()}" for reason, message in events[-last:]]

    def log(self, pod: str, container: str = "", last: int = 8) -> list[str]:
        """The `last` lines of a container's log; empty if it never ran, or the log cannot be read. Never raises `LiveError`.

        From the current run, or from the previous one if the current one has not logged anything. `container` may be empty for
        a pod with one container.
        """
        return self._log(pod, container, last, previous=False) or self._log(pod, container, last, previous=True)

    def _log(self, pod: str, container: str, last: int, *, previous: bool) -> list[str]:
        try:
            return self._read("read a log", lambda client: client.log(pod, last, container, previous=previous))
        except LiveError:
            return []

    def rights(self) -> Object:
        """The account's rights in the namespace, as the status of a SelfSubjectRulesReview."""
        return self._read("read the rights of the account", lambda client: client.rights())

    def now(self) -> datetime:
        """The current time of the API server (UTC, to the second). Sends a request only if there was none before."""
        return self._read("read the time of the API server", lambda client: client.now())

    def _read(self, operation: str, read: Callable[[Client], T]) -> T:
        """The result of `read`. Only errors of the access become a `LiveError`; a bug in our code stays an exception."""
        from bluegreen.kube.api_error import ApiError
        from bluegreen.kube.kubeconfig import KubeconfigError

        try:
            return read(self.client)
        except (ApiError, KubeconfigError) as error:
            context = f"context {self._context}" if self._context else "the current context"
            raise LiveError(f"Could not {operation} in namespace {self._namespace} ({context}): {error}") from error

    @property
    def client(self) -> Client:
        """The client, for the emergency path, which patches the route. Raises `KubeconfigError`."""
        # Imported late: the program first starts the provider, and imports this while the provider starts.
        from bluegreen.kube.client import Client
        from bluegreen.kube.kubeconfig import read_cluster_config

        with self._connecting:
            if self._client is None:
                self._client = Client(read_cluster_config(self._context), self._namespace, apis=self._apis)
            return self._client


def _pod_labels(deployment: Object) -> dict[str, str]:
    """The labels by which a Deployment selects its pods. Raises `LiveError` if there are none, which would select all pods."""
    labels = value_at(deployment, "spec", "selector", "matchLabels")
    selector = {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else {}
    if not selector:
        name = value_at(deployment, "metadata", "name")
        raise LiveError(f"The Deployment {name} has no spec.selector.matchLabels, so its pods are unknown")
    return selector

"""The settings of one environment: its config, typed and checked.

`config_reader.py` makes them from the config; each default is that of its key in `config_keys.py`. No Pulumi, no cluster.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bluegreen.release import config_keys as keys
from bluegreen.release import digest
from bluegreen.release.adoption import Adoption
from bluegreen.release.config_keys import Key, T
from bluegreen.release.snapshot import Snapshot
from bluegreen.release.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class ColorSettings:
    """What the pods of one deployed color are. Zero means: no autoscaling, the image's own user."""

    app: str
    name: str
    image: str
    replicas: int = keys.REPLICAS.default
    max_replicas: int = keys.MAX_REPLICAS.default
    strategy: str = keys.STRATEGY.default
    port: int = keys.PORT.default
    readiness_path: str = keys.READINESS_PATH.default
    drain_seconds: int = keys.DRAIN_SECONDS.default
    shutdown_seconds: int = keys.SHUTDOWN_SECONDS.default
    env: Mapping[str, str] = field(default_factory=dict)
    secret_env: Mapping[str, str] = field(default_factory=dict, repr=False)
    config_map_refs: tuple[str, ...] = keys.CONFIG_MAP_REFS.default
    secret_refs: tuple[str, ...] = keys.SECRET_REFS.default
    resources: Mapping[str, Any] = field(default_factory=dict)
    image_pull_secret: str = keys.IMAGE_PULL_SECRET.default
    run_as_user: int = keys.RUN_AS_USER.default
    ready_timeout_seconds: int = keys.READY_TIMEOUT_SECONDS.default
    fail_fast_seconds: int = keys.FAIL_FAST_SECONDS.default
    release: str = keys.RELEASE.default
    migrate: tuple[str, ...] = keys.MIGRATE.default
    migrate_timeout_seconds: int = keys.MIGRATE_TIMEOUT_SECONDS.default
    snapshot: Snapshot | None = None
    """The team's own manifest for this color. The settings above that `given` names override it."""
    secret_data: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    """The values of the Secrets in the snapshot: name of the Secret, key, value."""
    given: frozenset[str] = frozenset()
    """The names of the color keys that the config sets, for this color or for both."""
    repository: str = keys.IMAGE.default
    """`bluegreen:image`; empty if the snapshot alone names the image."""
    image_tag: str = ""
    """`imageTag`; empty if the image is that of the snapshot."""
    namespace: str = keys.NAMESPACE.default
    users_service: str = ""
    """`bluegreen:service`: the Service of the snapshot that users reach; empty if only one can be meant."""
    users_port: int = 0
    """`bluegreen:port`, the port of the Service that users reach; 0 if the config does not set it."""
    allow: tuple[str, ...] = keys.ALLOW.default
    workers: tuple[str, ...] = keys.WORKER.default
    """`worker`: the Deployments of the snapshot that run only while the color is active."""

    @property
    def secret_digest(self) -> str:
        """A digest of the secret variables, empty without any. It is part of a name that everybody may list."""
        if not self.secret_env:
            return ""
        return digest.of_secret(json.dumps(dict(self.secret_env), sort_keys=True), f"{self.app}-{self.name}")


@dataclass(frozen=True, kw_only=True)
class SharedService:
    """A Kubernetes Service that both colors share. `spec` has no selector: the routing layer adds it."""

    name: str
    spec: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ServiceSettings:
    """One service that is released blue-green: its name, the port its clients use, and its deployed colors by name.

    `shared` are its Kubernetes Services; the first is the one that users reach. `labels` are those of the pods of each deployed
    color that pods of other applications do not have.
    """

    name: str = keys.APP.default
    port: int = keys.PORT.default
    colors: Mapping[str, ColorSettings]
    shared: tuple[SharedService, ...] = ()
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.shared:
            object.__setattr__(self, "shared", (service_of_config(self.name, self.port),))

    @property
    def users(self) -> SharedService:
        """The Service that users reach."""
        return self.shared[0]

    def pod_labels(self, color: str = "") -> dict[str, str]:
        """The labels by which a Service selects the pods of `color`, or, without one, of both colors.

        Pods from config values have the label `app`. Where a color from a manifest stands beside one from config values, its
        pods have that label too.
        """
        common = {"app": self.name}
        if color:
            return {**self.labels.get(color, common), "color": color}
        found = [*self.labels.values()]
        return dict(found[0]) if found and all(labels == found[0] for labels in found) else common


def service_of_config(name: str, port: int) -> SharedService:
    """The Service of an application whose pods come from config values. It leads to the container port named `http`, so each
    color may have its own."""
    return SharedService(name=name, spec={"ports": [{"name": "http", "port": port, "targetPort": "http"}]})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One environment: a service, who serves its users and its testers, and the edge they come in by.

    Empty or zero means: no test route, the default routing layer, the current context of the kubeconfig, no TLS, an address
    that is not known, a node port that the cluster chooses.
    """

    service: ServiceSettings
    active_color: str
    test_color: str = keys.TEST_COLOR.default
    test_cookie: str = keys.TEST_COOKIE.default
    routing: str = keys.ROUTING.default
    workload: str = keys.WORKLOAD.default
    namespace: str = keys.NAMESPACE.default
    context: str = keys.CONTEXT.default
    host: str = keys.HOST.default
    tls_secret: str = keys.TLS_SECRET.default
    url: str = keys.URL.default
    node_port: int = keys.NODE_PORT.default
    test_node_port: int = keys.TEST_NODE_PORT.default
    expect: str = keys.EXPECT.default
    allow: tuple[str, ...] = keys.ALLOW.default
    worker_order: str = keys.WORKER_ORDER.default
    protect: bool = keys.PROTECT.default
    verify: bool = keys.VERIFY.default
    adopt: Adoption | None = None
    """What served the users before, as long as `bluegreen adopt` has not finished."""
    own: Mapping[str, Any] = field(default_factory=dict)
    """The values of the routing layer's own keys, by name; see `own_value`."""

    @property
    def stops_workers_first(self) -> bool:
        """Whether the pods of the old workers are gone before new workers start."""
        return self.worker_order == keys.STOP_FIRST

    @property
    def traffic(self) -> Traffic:
        """Who is to get which color."""
        return Traffic.to(self.active_color, self.test_color)

    @property
    def has_route(self) -> bool:
        """Whether the environment routes its users. While it is brought over, the Services of before lead them."""
        return self.adopt is None or self.adopt.is_owned

    def own_value(self, key: Key[T]) -> T:
        """The value of a key of the routing layer's own."""
        found: T = self.own.get(key.name, key.default)
        return found


def warnings(settings: Settings) -> list[str]:
    """What this config needs and nothing here can see, in words."""
    return [
        f"{name}:maxReplicas is {color.max_replicas}, and resources has no CPU request: the autoscaler scales on a share of "
        f"that request, so it does nothing unless a LimitRange of the namespace {settings.namespace} gives the pods one. "
        f"Add one: pulumi config set --path '{name}:resources.requests.cpu' 100m"
        for name, color in settings.service.colors.items()
        if color.max_replicas
        and not color.snapshot
        and not any("cpu" in color.resources.get(kind, {}) for kind in ("requests", "limits"))
    ]

"""Every config key: its name, its parser, its default and its description. Nothing else defines a key.

`Pulumi.yaml` and `docs/reference/config.md` are generated from these tables (`make docs`), the defaults of the settings are
those of the keys, and `config_reader.py` reads values through them. A module that has keys of its own offers a tuple of `Key`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bluegreen.release import adoption, values
from bluegreen.release.colors import COLORS
from bluegreen.release.refusals import EXCEPTIONS
from bluegreen.release.values import Parser

PROJECT = "bluegreen"
"""The namespace of the keys of an environment; a color's own keys are in the namespace of its name."""

T = TypeVar("T")

_NO_NAMES: tuple[str, ...] = ()
_NO_VARIABLES: Mapping[str, str] = {}
_NO_RESOURCES: Mapping[str, Any] = {}
_NO_SECRETS: Mapping[str, Mapping[str, str]] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Key(Generic[T]):
    """One config key, without its namespace.

    `parse` takes the text of a value. It returns None for an empty text that means "not set", and raises `InvalidValueError`
    or a group of them for a value that is not allowed. `default` is the value of a key that is not set. `description` says what
    the value means, its unit, and what an empty or zero value means. A key without a sensible default has `if_missing`: how to
    set it. `shape` is the type in `Pulumi.yaml` if it is not that of the default.
    """

    name: str
    parse: Parser[T | None]
    default: T
    description: str
    if_missing: str = ""
    shape: str = ""


ACTIVE_COLOR = Key(
    name="activeColor",
    parse=values.one_of(*COLORS),
    default="",
    description="The color that serves the users: blue or green. It has no default, so that a missing line never moves users.",
    if_missing="Name the color that serves the users: pulumi config set activeColor blue",
)
TEST_COLOR = Key(
    name="testColor",
    parse=values.optional(values.one_of(*COLORS)),
    default="",
    description="The color that serves the testers: a deployed color other than activeColor. Empty for no testers.",
)
APP = Key(
    name="app",
    parse=values.app_name,
    default="myapp",
    description="The name of the application. The names of all its objects begin with it.",
)
IMAGE = Key(
    name="image",
    parse=values.image_repository,
    default="",
    description="The repository of the image, without tag or digest. bluegreen.example/app is the sample application. Not "
    "needed where a manifest names it.",
    if_missing="Name the image without its tag: pulumi config set image registry.example/shop",
)
SERVICE = Key(
    name="service",
    parse=values.optional(values.service_name),
    default="",
    description="The Service of the manifests that users reach. Empty if only one of them can be meant.",
)
NAMESPACE = Key(
    name="namespace",
    parse=values.namespace_name,
    default="default",
    description="The Kubernetes namespace of the environment. It must exist.",
)
CONTEXT = Key(
    name="context",
    parse=values.optional(values.context_name),
    default="",
    description="The context of the kubeconfig that leads to the cluster. Empty for the current context.",
)
ROUTING = Key(
    name="routing",
    parse=values.optional(values.module_name),
    default="",
    description="The routing layer: a module of bluegreen.routing, such as istio (a VirtualService) or selector (two NodePort "
    "Services), or a module of your own by its dotted name. Empty for istio.",
)
WORKLOAD = Key(
    name="workload",
    parse=values.module_name,
    default="settings",
    description="The source of the pods: a module of bluegreen.workload (settings: the keys of this file), or a module of your "
    "own by its dotted name.",
)
TEST_COOKIE = Key(
    name="testCookie",
    parse=values.cookie,
    default="test=true",
    description="The cookie that sends a request to the test color, as name=value (istio).",
)
HOST = Key(
    name="host",
    parse=values.host,
    default="*",
    description="The host name that the gateway accepts, such as shop.example or *.shop.example (istio). * accepts every host.",
)
TLS_SECRET = Key(
    name="tlsSecret",
    parse=values.optional(values.object_name),
    default="",
    description="The Secret with the certificate, in the namespace of the ingress gateway (istio). Empty for HTTP without TLS.",
)
URL = Key(
    name="url",
    parse=values.optional(values.url),
    default="",
    description="The URL at which users reach the environment. Empty for the URL of the host (istio).",
)
EXPECT = Key(
    name="expect",
    parse=values.optional(values.approval),
    default="",
    description="The release, tag, digest or image that is approved: users move to nothing else. Empty approves any.",
)
ALLOW = Key(
    name="allow",
    parse=values.words(*EXCEPTIONS),
    default=_NO_NAMES,
    description="Exceptions to the rules of a release, by the names in docs/reference/rules.md. Each use is a warning.",
)
STOP_FIRST, START_FIRST = "stop-first", "start-first"

WORKER_ORDER = Key(
    name="workerOrder",
    parse=values.one_of(STOP_FIRST, START_FIRST),
    default=STOP_FIRST,
    description="The order of the workers of both colors at a switch. stop-first: the new ones start when the pods of the old "
    "ones are gone, so the two versions never share a queue. start-first: the old ones stop when the new ones are ready.",
)
PROTECT = Key(
    name="protect",
    parse=values.boolean,
    default=False,
    description="Protects the gateway and the route from deletion: pulumi destroy fails while it is true.",
)
VERIFY = Key(
    name="verify",
    parse=values.boolean,
    default=False,
    description="After the route is written, sends requests until the active color serves users; fails after 20 seconds. Needs "
    "url, or a host without wildcard (istio).",
)
NODE_PORT = Key(
    name="nodePort",
    parse=values.integer(0, 65535),
    default=0,
    description="The port of the users' Service on each node (selector). 0 lets the cluster choose.",
)
TEST_NODE_PORT = Key(
    name="testNodePort",
    parse=values.integer(0, 65535),
    default=0,
    description="The port of the testers' Service on each node (selector), other than nodePort. 0 lets the cluster choose.",
)

ADOPT = Key(
    name="adopt",
    parse=values.optional(adoption.parse),
    default=None,
    description="What served the users before this environment, while bluegreen adopt brings it over. The command writes and "
    "removes it.",
)

ENVIRONMENT: tuple[Key[Any], ...] = (
    ACTIVE_COLOR,
    TEST_COLOR,
    APP,
    IMAGE,
    SERVICE,
    NAMESPACE,
    CONTEXT,
    ROUTING,
    WORKLOAD,
    TEST_COOKIE,
    HOST,
    TLS_SECRET,
    URL,
    EXPECT,
    ALLOW,
    WORKER_ORDER,
    PROTECT,
    VERIFY,
    NODE_PORT,
    TEST_NODE_PORT,
    ADOPT,
)
"""Keys in `bluegreen:` alone: they describe the environment."""

REPLICAS = Key(
    name="replicas",
    parse=values.integer(1, 1000),
    default=1,
    description="The number of pods. From 2 (also by maxReplicas), a PodDisruptionBudget lets one pod at a time be evicted.",
)
MAX_REPLICAS = Key(
    name="maxReplicas",
    parse=values.integer(0, 1000),
    default=0,
    description="The largest number of pods, at least replicas: an autoscaler scales on CPU up to it, and needs a CPU request "
    "in resources. 0 for no autoscaler.",
)
STRATEGY = Key(
    name="strategy",
    parse=values.one_of("Recreate", "RollingUpdate"),
    default="RollingUpdate",
    description="How new pods replace old pods of one color. RollingUpdate needs room for one more pod; Recreate stops the old "
    "pods first.",
)
PORT = Key(
    name="port",
    parse=values.integer(1, 65535),
    default=3000,
    description="The port that the container listens on. In the bluegreen namespace also the port of the Service.",
)
READINESS_PATH = Key(
    name="readinessPath",
    parse=values.http_path,
    default="/ready",
    description="The HTTP path of the readiness probe: a status from 200 to 399 means ready.",
)
READY_TIMEOUT_SECONDS = Key(
    name="readyTimeoutSeconds",
    parse=values.integer(1, 3600),
    default=180,
    description="How long an update waits until a color is ready, or until a migration starts, in seconds.",
)
FAIL_FAST_SECONDS = Key(
    name="failFastSeconds",
    parse=values.integer(0, 3600),
    default=60,
    description="How long a crash loop, a missing image or a missing Secret may last before the update fails, in seconds.",
)
DRAIN_SECONDS = Key(
    name="drainSeconds",
    parse=values.integer(1, 3600),
    default=5,
    description="How long a terminating pod continues to serve before it receives SIGTERM, in seconds.",
)
SHUTDOWN_SECONDS = Key(
    name="shutdownSeconds",
    parse=values.integer(1, 3600),
    default=30,
    description="How long a pod may take to stop after SIGTERM before it is killed, in seconds.",
)
MIGRATE = Key(
    name="migrate",
    parse=values.optional(values.command),
    default=_NO_NAMES,
    description="A command, as a text or a list. A Job with the color's image and variables runs it once for each image, "
    "before the pods. Empty for none.",
    shape="string",
)
MIGRATE_TIMEOUT_SECONDS = Key(
    name="migrateTimeoutSeconds",
    parse=values.integer(1, 86400),
    default=600,
    description="How long a migration may take, in seconds.",
)
CONFIG_MAP_REFS = Key(
    name="configMapRefs",
    parse=values.names,
    default=_NO_NAMES,
    description="Existing ConfigMaps whose keys become environment variables. A color's own list is added to the list for "
    "both; secretRefs and env override them.",
)
SECRET_REFS = Key(
    name="secretRefs",
    parse=values.names,
    default=_NO_NAMES,
    description="Existing Secrets whose keys become environment variables. A color's own list is added to the list for both; "
    "env and secretEnv override them.",
)
IMAGE_PULL_SECRET = Key(
    name="imagePullSecret",
    parse=values.optional(values.object_name),
    default="",
    description="The Secret with the credentials of the image registry. Empty for none.",
)
RUN_AS_USER = Key(
    name="runAsUser",
    parse=values.integer(0, 2**31 - 1),
    default=0,
    description="The user ID of the containers, which cannot be root. 0 for the user that the image names.",
)
ENV = Key(
    name="env",
    parse=values.environment,
    default=_NO_VARIABLES,
    description="Environment variables of the pods, by name; each value is a text or a whole number. A color's own variables "
    "are merged with those for both and win. COLOR is set already and not allowed.",
)
SECRET_ENV = Key(
    name="secretEnv",
    parse=values.environment,
    default=_NO_VARIABLES,
    description="Secret environment variables of the pods, merged like env. Set one with pulumi config set --secret "
    "--path 'blue:secretEnv.DB_PASSWORD' VALUE.",
)
RESOURCES = Key(
    name="resources",
    parse=values.resources,
    default=_NO_RESOURCES,
    description="Requests and limits of the containers, such as {requests: {cpu: 100m, memory: 64Mi}}.",
)

WORKER = Key(
    name="worker",
    parse=values.names,
    default=_NO_NAMES,
    description="Deployments of the manifest, by name, that have pods only while the color is active: workers that take jobs "
    "from a queue. A color's own list replaces the list for both.",
)

COLOR: tuple[Key[Any], ...] = (
    REPLICAS,
    MAX_REPLICAS,
    STRATEGY,
    PORT,
    READINESS_PATH,
    READY_TIMEOUT_SECONDS,
    FAIL_FAST_SECONDS,
    DRAIN_SECONDS,
    SHUTDOWN_SECONDS,
    MIGRATE,
    MIGRATE_TIMEOUT_SECONDS,
    CONFIG_MAP_REFS,
    SECRET_REFS,
    IMAGE_PULL_SECRET,
    RUN_AS_USER,
    ENV,
    SECRET_ENV,
    RESOURCES,
    WORKER,
)
"""Keys in `bluegreen:` for both colors, or in `blue:` or `green:` for that color alone; there they win."""

IMAGE_TAG = Key(
    name="imageTag",
    parse=values.optional(values.image_tag),
    default="",
    description="The tag of the color's image, in quotes, or its digest (sha256:...). A color without imageTag and without "
    "manifest is not deployed. With a manifest it replaces the tag of the main container's image.",
)
RELEASE = Key(
    name="release",
    parse=values.optional(values.approval),
    default="",
    description="The name of the release that the color runs, for expect and for people. Empty for none.",
)

MANIFEST = Key(
    name="manifest",
    parse=values.optional(values.project_path),
    default="",
    description="The file or folder of the project with the manifest of the color: plain, rendered YAML with its Deployment "
    "and its Service. Other keys override it. Empty for pods that the keys of this file describe.",
)
SECRET_DATA = Key(
    name="secretData",
    parse=values.secret_data,
    default=_NO_SECRETS,
    description="The values of the Secrets in the manifest, by the name of the Secret and the key. Set one with pulumi config "
    "set --secret --path 'blue:secretData.database.PASSWORD' VALUE.",
)

ONE_COLOR: tuple[Key[Any], ...] = (IMAGE_TAG, RELEASE, MANIFEST, SECRET_DATA)
"""Keys in `blue:` or `green:` alone: an image for both colors would make every release a change of the live color."""

"""The annotations and labels by which an environment is recognized in the cluster, and the names under which it is written."""

from collections.abc import Mapping

# The field manager of the program. The provider draws a random one for each resource otherwise, and nothing could distinguish
# what the program has written from what others have.
MANAGER = "bluegreen"

# The field manager of `rollback --now`.
EMERGENCY_MANAGER = "bluegreen-rollback-now"

# The domain of the annotations. Version 0.1.0 wrote them with another one, which readers accept until version 1.0: an
# environment that is updated at least once before that has the new ones.
_DOMAIN = "pulumi-bluegreen.dev/"
_EARLIER_DOMAIN = "bluegreen/"

# On every object: the stack that owns it, as organization/project/stack.
OWNER = f"{_DOMAIN}owner"

# On each Deployment: the pod template hash, a digest of the settings with which the color was deployed. An update that keeps
# the hash restarts no pod, whatever the program would write today.
TEMPLATE = f"{_DOMAIN}template"

# On each Deployment of a color with a migration: the name of the migration's Job, which had succeeded when the Deployment was
# written. It does not matter if the Job is gone or has failed since then: with an injected container that never ends, a Job
# fails at its deadline however well the migration went.
MIGRATION = f"{_DOMAIN}migration"

# On each Deployment: the image that the program asked for. An admission controller may have written another name of it into the
# pod template.
IMAGE = f"{_DOMAIN}image"

# On each Deployment: the release that the color runs, when the config names one.
RELEASE = f"{_DOMAIN}release"

# On each Deployment: the name of the application's container, if that is not the name of the application.
CONTAINER = f"{_DOMAIN}container"

# On the route: which colors have served users, and with which pod template, in the order of their first activation, the newest
# first; see served.py.
SERVED = f"{_DOMAIN}served"

# On an object that the program wrote again because somebody else had changed it: the resourceVersion that it replaced. The
# engine compares with its state alone, so a new value here is what makes it write.
REPLACES = f"{_DOMAIN}replaces"

# On each ConfigMap and Secret of variables: the name of its resource in the state. An object without it was made by a version
# in which all values of a color had the same resource.
RESOURCE = f"{_DOMAIN}resource"

# The label of the pods of a color from a manifest: the name of the application. Selectors have it, and the label `color`.
APP = f"{_DOMAIN}app"

# The labels of a worker and of its pods: the name of its Deployment in the manifest, and the application. No worker has APP, so
# no Service selects it.
WORKER = f"{_DOMAIN}worker"
WORKER_OF = f"{_DOMAIN}worker-of"

# The labels that Kubernetes recommends. No selector has them.
_NAME = "app.kubernetes.io/name"
MANAGED_BY = "app.kubernetes.io/managed-by"


def labels(app: str) -> dict[str, str]:
    """The recommended labels of every object of `app`, and of its pods; without a name if that is empty.

    The version is not among them: a tag may be no valid label.
    """
    return {**({_NAME: app} if app else {}), **managed_by()}


def managed_by() -> dict[str, str]:
    """The label of the program, which replaces that of another tool."""
    return {MANAGED_BY: "pulumi-bluegreen"}


def read(annotations: Mapping[str, str], name: str) -> str | None:
    """The annotation `name` of this module, also if an earlier version has written it; None without one.

    An object that this version has written names its owner by the new domain. Annotations of the old one that are left there
    are void, except for the record of who has served.
    """
    if name in annotations or (OWNER in annotations and name != SERVED):
        return annotations.get(name)
    return annotations.get(_earlier(name))


def names(*current: str) -> list[str]:
    """These annotations by all names that they have or had."""
    return [*current, *map(_earlier, current)]


def with_new_domain(annotations: Mapping[str, str]) -> dict[str, str]:
    """`annotations` with the names that this version writes."""
    names = (OWNER, TEMPLATE, MIGRATION, IMAGE, RELEASE, CONTAINER, SERVED, REPLACES, RESOURCE)
    renamed = {_earlier(name): name for name in names}
    return {renamed.get(name, name): value for name, value in annotations.items()}


def without_labels(labels_: Mapping[str, str]) -> dict[str, str]:
    """`labels_` without the recommended ones."""
    return {name: value for name, value in labels_.items() if name not in (_NAME, MANAGED_BY)}


def _earlier(name: str) -> str:
    return name.replace(_DOMAIN, _EARLIER_DOMAIN, 1)

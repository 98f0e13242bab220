"""The annotations by which an environment is recognized in the cluster, and the names under which it is written."""

# The field manager of the program. The provider draws a random one for each resource otherwise, and nothing could tell what
# the program has written from what others have.
MANAGER = "bluegreen"

# The field manager of `rollback --now`.
EMERGENCY_MANAGER = "bluegreen-rollback-now"

# On every object: the stack that owns it, as organization/project/stack.
OWNER = "bluegreen/owner"

# On each Deployment: the fingerprint of the pod template that the program asked for. The cluster fills templates with
# defaults, so they cannot be compared directly, and an update that keeps the fingerprint restarts no pod.
TEMPLATE = "bluegreen/template"

# On each Deployment of a color with a migration: the name of the migration's Job, which had succeeded when the Deployment was
# written. It does not matter if the Job is gone or has failed since then: with an injected container that never ends, a Job
# fails at its deadline however well the migration went.
MIGRATION = "bluegreen/migration"

# On each Deployment: the image that the program asked for. An admission controller may have written another name of it into the
# pod template.
IMAGE = "bluegreen/image"

# On each Deployment: the release that the color runs, when the config names one.
RELEASE = "bluegreen/release"

# On the route: which colors have served users, and with which pod template, in the order of their first activation, the newest
# first; see served.py.
SERVED = "bluegreen/served"

# On an object that the program wrote again because somebody else had changed it: the resourceVersion that it replaced. The
# engine compares with its state alone, so a new value here is what makes it write.
REPLACES = "bluegreen/replaces"

# On each ConfigMap and Secret of variables: the name of its resource in the state. An object without it was made by a version
# in which all values of a color had the same resource.
RESOURCE = "bluegreen/resource"

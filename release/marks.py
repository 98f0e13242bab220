"""The annotations by which an environment is recognized in the cluster."""

# On every object: the stack that owns it, as organization/project/stack.
OWNER = "bluegreen/owner"

# On each Deployment: the fingerprint of the pod template that the program asked for. The cluster fills templates with
# defaults, so they cannot be compared directly, and an update that keeps the fingerprint restarts no pod.
TEMPLATE = "bluegreen/template"

# On each Deployment: the release that the color runs, when the config names one.
RELEASE = "bluegreen/release"

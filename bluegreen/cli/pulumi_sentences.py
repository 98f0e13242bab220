"""What the Pulumi CLI and its provider print and this command must recognize: the only sentences that it reads.

They belong to others and may change with a new version, so all of them are here, with the place that they were read from.
CLI: https://github.com/pulumi/pulumi/tree/v3.274.1; provider: https://github.com/pulumi/pulumi-kubernetes/tree/v4.32.0.
"""

import re

# sdk/python/lib/pulumi/automation/errors.py: Pulumi Cloud, and a self-managed backend (pkg/backend/diy/lock.go).
LOCKED = ("[409] Conflict: Another update is currently in progress.", "the stack is currently locked by")
STACK_NOT_FOUND = re.compile("no stack named.*found")

# pkg/secrets/passphrase/manager.go and pkg/backend/httpstate/backend.go.
NOT_LOGGED_IN = re.compile(r"incorrect passphrase|passphrase must be set|not logged in|PULUMI_ACCESS_TOKEN must be set")

# pkg/backend/diy/lock.go: who holds a lock of a self-managed backend.
LOCK_HOLDER = re.compile(r"(?P<url>\S+): created by (?P<user>\S*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")

# pkg/backend/diy/lock.go: the CLI lists the locks, then reads each one, and fails if one was given back meanwhile. On files and
# on Azure the message names it, in the words of gocloud.dev.
_LOCK = r"\.pulumi(?:/|%2F)locks(?:/|%2F)\S+\.json"
LOCK_VANISHED = re.compile(
    rf"{_LOCK}: no such file or directory"
    rf'|blob \(key "\S*{_LOCK}"\) \(code=NotFound\)'  # any backend, where the CLI prints the error of gocloud.dev as a whole
    rf"|{_LOCK}\b.*^ERROR CODE: BlobNotFound$",
    re.MULTILINE | re.DOTALL,
)

# On S3 and on Google Cloud the message only says that an object is missing, which may be a lock.
LOCK_MAY_HAVE_VANISHED = re.compile(r"NoSuchKey: |storage: object doesn't exist")

# pkg/backend/diy/state.go: the CLI reads the state before it takes the lock, and an update that holds the lock writes the state
# in place, so a reader may find it empty or cut off.
STATE_MAY_BE_WRITTEN = re.compile(r"failed to load checkpoint: .*(EOF|unexpected end of JSON input)")

# Follow the error of the program, which says more (pkg/engine and sdk/python/cmd/pulumi-language-python-exec).
AFTERMATH = ("an unhandled error occurred: program exited", "update failed", "preview failed")

# The provider's message about an object that it does not wait for (provider/pkg/await/await.go).
NOT_AWAITED = "Skipping await logic"

# Lines of a printed preview that differ from one run to the next (pkg/backend/display).
PREVIEW_PASSING = re.compile(r"^(Previewing update|@ |Duration|View (in Browser|Live)|Loading policy|\s*$)")

# `pulumi config`: a value that an environment computes only when it is opened, and the head of the table of its variables
# (pkg/cmd/pulumi/config).
UNKNOWN = "[unknown]"
VARIABLES_TABLE = "ENVIRONMENT VARIABLE"

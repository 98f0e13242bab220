#!/bin/sh
# Gets a job ready: the project's Python, and access to the cluster. The job's image has git, Python 3.11 or newer, and Pulumi.
# A secret reaches it in its environment and leaves it into a file; it is never an argument, which every process may read.
set -eu
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt
fi
if [ -n "${KUBECONFIG_CONTENT:-}" ]; then
    mkdir -p "$HOME/.kube"
    (umask 077 && printf '%s\n' "$KUBECONFIG_CONTENT" > "$HOME/.kube/config")
fi

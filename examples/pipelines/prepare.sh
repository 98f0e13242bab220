#!/bin/sh
# Prepares a job: installs the project's Python packages and writes the kubeconfig. The job's image needs git, Python 3.11 or newer,
# and Pulumi. The secret is passed in the environment and written to a file, never to arguments, which other users can see.
set -eu
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt
fi
if [ -n "${KUBECONFIG_CONTENT:-}" ]; then
    mkdir -p "$HOME/.kube"
    (umask 077 && printf '%s\n' "$KUBECONFIG_CONTENT" > "$HOME/.kube/config")
fi

# To be sourced by a job: the project's Python and access to the cluster. The image of the job has Python and Pulumi.
set -e
if [ ! -x .venv/bin/python ]; then
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet --require-hashes -r requirements.txt
fi
if [ -n "${KUBECONFIG_CONTENT:-}" ]; then
    KUBECONFIG=$HOME/.kube/config
    mkdir -p "$HOME/.kube"
    (umask 077 && printf '%s' "$KUBECONFIG_CONTENT" > "$KUBECONFIG")
fi

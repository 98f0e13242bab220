#!/bin/sh
# Prints a kubeconfig for one of the accounts in this folder, for the cluster of the current context:
#   kubeconfig.sh NAMESPACE ACCOUNT [DURATION]       DURATION is 1h by default
# The context keeps its name, because bluegreen:context may refer to it. The token is only in the output, never in the arguments of
# a process, which other users can see.
set -eu
namespace=$1 account=$2 duration=${3:-1h}
look() { kubectl config view --minify --flatten --raw --output "jsonpath=$1"; }
cluster=$(look '{.clusters[0].name}')
cat <<END
apiVersion: v1
kind: Config
clusters: $(look '{.clusters}')
users: [{name: "$account", user: {token: $(kubectl create token "$account" --namespace "$namespace" --duration "$duration")}}]
contexts: [{name: "$(kubectl config current-context)", context: {cluster: "$cluster", user: "$account", namespace: $namespace}}]
current-context: "$(kubectl config current-context)"
END

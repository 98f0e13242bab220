#!/bin/sh
# Prints a kubeconfig with which a pipeline is one of the accounts of this folder:
#   kubeconfig.sh NAMESPACE ACCOUNT [DURATION]       the cluster is that of the current context; DURATION is 1h by default
# The context keeps its name, because bluegreen:context may name it. The token is in the output alone, never an argument of a
# process.
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

"""A one-node Kubernetes cluster with an Istio gateway, as plain processes, for machines without a cluster.

For tests and the demo only. The Pulumi program and the `bluegreen` command must not import it.
"""

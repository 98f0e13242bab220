"""A real one-node Kubernetes cluster with an Istio gateway, as plain processes, for machines that have neither.

Nothing here is used by the Pulumi program or by the `bluegreen` command: the sandbox is the ground they are tried on.
"""

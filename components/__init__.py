"""What exists in the cluster, as Pulumi components. Nothing here reads the cluster or decides about a release."""

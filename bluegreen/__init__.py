"""Blue-green releases on Kubernetes: the rules of a release, and the command `bluegreen`."""

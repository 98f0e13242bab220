"""A provider and no object: no program that uses a cluster takes less."""

import pulumi

pulumi.ProviderResource("kubernetes", "cluster", {"clusterIdentifier": "cluster"})

"""The provider of the objects: which cluster they are in.

Written without the class of pulumi_kubernetes, which takes ten milliseconds to import and puts the value of KUBECONFIG into
the state: a colleague whose kubeconfig is elsewhere would see the provider change in every preview.
"""

from importlib.metadata import version

import pulumi


def provider(context: str, namespace: str) -> pulumi.ProviderResource:
    """The cluster of `context` (empty for the current one of whoever runs the command); objects go to `namespace`.

    It has an identity that never changes, because a provider that takes its cluster for another one replaces every object
    under it. An environment does not move: for another cluster there is another stack.
    """
    inputs = {"context": context or None, "namespace": namespace, "clusterIdentifier": "cluster"}
    of_package = pulumi.ResourceOptions(version=version("pulumi_kubernetes"))
    return pulumi.ProviderResource("kubernetes", "cluster", inputs, of_package)

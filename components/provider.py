"""The provider of the objects: which cluster they are in.

Written without the class of pulumi_kubernetes, which takes ten milliseconds to import and puts the value of KUBECONFIG into
the state: a colleague whose kubeconfig is elsewhere would see the provider change in every preview.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pulumi


def provider(context: str, namespace: str) -> pulumi.ProviderResource:
    """The cluster of `context` (empty for the current one of whoever runs the command); objects go to `namespace`.

    It has an identity that never changes, because a provider that takes its cluster for another one replaces every object
    under it. An environment does not move: for another cluster there is another stack.
    """
    inputs = {"context": context or None, "namespace": namespace, "clusterIdentifier": "cluster"}
    return pulumi.ProviderResource("kubernetes", "cluster", inputs, pulumi.ResourceOptions(version=_version()))


def placed_in(cluster: pulumi.ProviderResource) -> pulumi.ResourceTransformation:
    """Transformation that puts every object into `cluster`, and tells nothing to components.

    What is told of a provider is registered when that has started. Components have no use for one, so they are registered
    meanwhile, and the objects under them at once afterwards.
    """

    def place(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("kubernetes:"):
            return None
        placed = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(provider=cluster))
        return pulumi.ResourceTransformationResult(args.props, placed)

    return place


def _version() -> str:
    """Of the plugin that belongs to the package, which says so in a file that the engine reads as well."""
    package = find_spec("pulumi_kubernetes")
    assert package is not None
    assert package.origin is not None
    version: str = json.loads(Path(package.origin).with_name("pulumi-plugin.json").read_text())["version"]
    return version

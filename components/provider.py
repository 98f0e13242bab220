"""The provider of the objects: which cluster they are in.

The class of pulumi_kubernetes is not used: it takes ten milliseconds to import, and it puts the value of KUBECONFIG into the
state, so a colleague with another path would see the provider change in every preview.
"""

import json
from importlib.util import find_spec
from pathlib import Path

import pulumi


def provider(context: str, namespace: str) -> pulumi.ProviderResource:
    """The cluster of `context` (empty for the current context of the kubeconfig); objects go to `namespace`.

    Its identity never changes, because a provider that believes it has another cluster replaces every object under it. An
    environment does not move: use another stack for another cluster.
    """
    inputs = {"context": context or None, "namespace": namespace, "clusterIdentifier": "cluster"}
    return pulumi.ProviderResource("kubernetes", "cluster", inputs, pulumi.ResourceOptions(version=_version()))


def placed_in(cluster: pulumi.ProviderResource) -> pulumi.ResourceTransformation:
    """A transformation that puts every object into `cluster`, and no component.

    A resource with a provider is registered once the provider has started. Components need no provider, so they are registered
    in the meantime, and the objects under them right after.
    """

    def place(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("kubernetes:"):
            return None
        placed = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(provider=cluster))
        return pulumi.ResourceTransformationResult(args.props, placed)

    return place


def _version() -> str:
    """The version of the plugin that belongs to the installed package, from a file of the package that the engine reads too."""
    package = find_spec("pulumi_kubernetes")
    if package is None or package.origin is None:
        raise pulumi.RunError("The Python package pulumi_kubernetes is not installed: pip install -r requirements.txt")
    version: str = json.loads(Path(package.origin).with_name("pulumi-plugin.json").read_text())["version"]
    return version

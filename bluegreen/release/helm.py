"""The hooks of Helm: objects that Helm runs at moments of its own, and that nothing else would run."""

from bluegreen.release.objects import Object, as_mapping, value_at

HOOK = "helm.sh/hook"
"""The annotation that makes an object a hook."""

_TESTS = frozenset({"test", "test-success", "test-failure"})


def hooks(item: Object) -> frozenset[str]:
    """The moments at which Helm would run an object; none for an object that is no hook."""
    written = as_mapping(value_at(item, "metadata", "annotations")).get(HOOK) or ""
    return frozenset(name.strip() for name in str(written).split(",")) if written else frozenset()


def is_test(item: Object) -> bool:
    """Whether an object is nothing but a test of a chart."""
    return bool(hooks(item)) and hooks(item) <= _TESTS

"""Rights of the account that works with the cluster: which one is missing, in words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

ROLES = "examples/rbac/ has a Role for each kind of command: plan.yaml, release.yaml, rollback.yaml"

# What RBAC says about a missing right, whoever shows it: the API server, or Pulumi's provider.
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)

# The provider returns from a deletion when the object is gone, and lists the objects of its kind to see that. If it may not,
# it waits for ever. The kinds that it does not wait for, and those that this program does not make, are left out.
_WAITED_FOR = (
    ("", "configmaps"),
    ("", "secrets"),
    ("", "services"),
    ("policy", "poddisruptionbudgets"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("networking.istio.io", "destinationrules"),
    ("networking.istio.io", "gateways"),
    ("networking.istio.io", "virtualservices"),
)


def missing(text: str) -> list[str]:
    """A sentence for each missing right that `text` is about; none when it is about something else."""
    found = [_sentence(**match.groupdict()) for match in _FORBIDDEN.finditer(text)]
    return list(dict.fromkeys(found))


def _sentence(user: str, verb: str, resource: str, group: str, namespace: str | None) -> str:
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    return f"{user} has no right to {verb} {_kind(group, resource)} {where}; {ROLES}"


def _kind(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def deleted_without_end(review: Mapping[str, Any]) -> list[str]:
    """The kinds whose objects the account may delete and not list, by the status of a SelfSubjectRulesReview.

    None when the review is incomplete, as it is where something else than RBAC decides as well.
    """
    if review.get("incomplete") or review.get("evaluationError"):
        return []
    rules = review.get("resourceRules") or []
    named = [rule for rule in rules if isinstance(rule, dict)]
    general = [rule for rule in named if not rule.get("resourceNames")]
    return [_kind(*kind) for kind in _WAITED_FOR if _gives(named, "delete", *kind) and not _gives(general, "list", *kind)]


def _gives(rules: Iterable[Mapping[str, Any]], verb: str, group: str, resource: str) -> bool:
    wanted = {"verbs": verb, "apiGroups": group, "resources": resource}
    return any(all({"*", value} & {*(rule.get(key) or ())} for key, value in wanted.items()) for rule in rules)

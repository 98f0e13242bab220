"""Turns RBAC errors into sentences that name the missing right, and finds missing rights that would make Pulumi hang."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from bluegreen.release.objects import Api

ROLES = "examples/rbac/ has a Role for each kind of command: plan.yaml, release.yaml, rollback.yaml"

# RBAC's message for a missing right, as the API server and Pulumi's provider show it.
_FORBIDDEN = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)" in API group "(?P<group>[^"]*)"'
    r'(?: in the namespace "(?P<namespace>[^"]*)")?'
)

# After a deletion the provider waits until the object is gone, by listing its kind. Without the right to list it waits for
# ever. Kinds that it does not wait for, and kinds that this program does not create, are not in this list.
_WAITED_FOR = (
    ("", "configmaps"),
    ("", "secrets"),
    ("", "services"),
    ("policy", "poddisruptionbudgets"),
    ("autoscaling", "horizontalpodautoscalers"),
)


def missing(text: str) -> list[str]:
    """One sentence per missing right that `text` reports; empty if it reports none."""
    sentences = [_sentence(**match.groupdict()) for match in _FORBIDDEN.finditer(text)]
    return list(dict.fromkeys(sentences))


def _sentence(user: str, verb: str, resource: str, group: str, namespace: str | None) -> str:
    where = f"in namespace {namespace}" if namespace else "in the whole cluster"
    return f"{user} has no right to {verb} {_kind(group, resource)} {where}; {ROLES}"


def _kind(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def deleted_without_end(review: Mapping[str, Any], apis: Mapping[str, Api]) -> list[str]:
    """The kinds that the account may delete but not list, by the status of a SelfSubjectRulesReview.

    `apis` are the API versions of the routing layer. Empty if the review is incomplete, which it is where another authorizer
    than RBAC decides too.
    """
    if review.get("incomplete") or review.get("evaluationError"):
        return []
    rules = review.get("resourceRules") or []
    valid = [rule for rule in rules if isinstance(rule, dict)]
    unrestricted = [rule for rule in valid if not rule.get("resourceNames")]
    kinds = [*_WAITED_FOR, *((name.partition("/")[0], plural) for name, api in apis.items() for plural in api.plurals.values())]
    return [_kind(*kind) for kind in kinds if _allow(valid, "delete", *kind) and not _allow(unrestricted, "list", *kind)]


def _allow(rules: Iterable[Mapping[str, Any]], verb: str, group: str, resource: str) -> bool:
    right = {"verbs": verb, "apiGroups": group, "resources": resource}
    return any(all({"*", value} & {*(rule.get(key) or ())} for key, value in right.items()) for rule in rules)

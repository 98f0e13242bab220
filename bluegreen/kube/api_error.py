"""Why the API server did not do what it was asked, in words."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from bluegreen.kube.rights import missing
from bluegreen.kube.transport import Response


class ApiError(Exception):
    """The API server cannot be reached, or refuses.

    `status` is that of HTTP, 0 when there was no response that can be used. `is_uncertain`: a write may have been carried out
    all the same.
    """

    def __init__(self, message: str, status: int = 0, *, is_uncertain: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_uncertain = is_uncertain


def reason(response: Response) -> str:
    """Why the response is no success: what the server says, and what that means where it is known."""
    said = _said(response)
    if response.location and response.status < HTTPStatus.BAD_REQUEST:
        return f"{said}: it leads to {response.location}. Is there a proxy before the API server that wants a login?"
    if response.status == HTTPStatus.UNAUTHORIZED:
        return f"{said}: the API server does not accept the credentials of the kubeconfig's user. Log in again"
    if response.status == HTTPStatus.FORBIDDEN and (found := missing(said)):
        return found[0]
    return said


def absent(response: Response) -> str:
    """The name of the object that does not exist, says the server. Empty for any other response, any other 404 as well."""
    said = _status(response)
    details = said.get("details")
    name = details.get("name") if isinstance(details, dict) else None
    is_missing = response.status == HTTPStatus.NOT_FOUND and said.get("reason") == "NotFound"
    return name if is_missing and isinstance(name, str) else ""


def unknown_kind(api_version: str, kind: str) -> ApiError:
    """The error about a kind that the cluster does not have."""
    message = f"the cluster does not have the kind {kind} of {api_version}"
    if api_version.partition("/")[0].endswith(".istio.io"):
        message += ": the CRDs of Istio are not installed. Install Istio, or set bluegreen:routing to selector"
    return ApiError(message, HTTPStatus.NOT_FOUND)


def _said(response: Response) -> str:
    """The message of the server's Status, or what it said instead."""
    message = _status(response).get("message")
    if isinstance(message, str) and message:
        return message
    text = response.body.decode(errors="replace").strip()[:200]
    return f"HTTP status {response.status}{f': {text}' if text else ''}"


def _status(response: Response) -> Mapping[str, Any]:
    """The Status object of a response, empty when it is none."""
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

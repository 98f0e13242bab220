"""Errors of the API server, and the messages that explain them."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from bluegreen.kube.rights import missing
from bluegreen.kube.transport import Response


class ApiError(Exception):
    """The API server cannot be reached, or rejects the request.

    `status` is the HTTP status, 0 without a usable response. `is_uncertain` is true if the write may have been carried out
    despite the error; read the object before you write it again.
    """

    def __init__(self, message: str, status: int = 0, *, is_uncertain: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.is_uncertain = is_uncertain


def reason(response: Response) -> str:
    """Why a request failed: the server's message, and advice for a redirect, a 401 and a missing right."""
    message = _message(response)
    if response.location and response.status < HTTPStatus.BAD_REQUEST:
        return f"{message}: redirected to {response.location}. Does a proxy in front of the API server require a login?"
    if response.status == HTTPStatus.UNAUTHORIZED:
        return f"{message}: the API server rejects the credentials of the kubeconfig's user. Log in again"
    if response.status == HTTPStatus.FORBIDDEN and (rights := missing(message)):
        return rights[0]
    return message


def absent(response: Response) -> str:
    """The name of the object that the server reports as not existing; empty for every other response.

    A 404 without a Kubernetes Status comes from something else, such as a proxy, and proves nothing.
    """
    status = _status(response)
    details = status.get("details")
    name = details.get("name") if isinstance(details, dict) else None
    is_missing = response.status == HTTPStatus.NOT_FOUND and status.get("reason") == "NotFound"
    return name if is_missing and isinstance(name, str) else ""


def unknown_kind(api_version: str, kind: str, advice: str = "") -> ApiError:
    """The error about a kind that the cluster does not have. `advice` says what to do about it, if that is known."""
    message = f"the cluster does not have the kind {kind} of {api_version}"
    return ApiError(f"{message}: {advice}" if advice else message, HTTPStatus.NOT_FOUND)


def _message(response: Response) -> str:
    """The message of the server's Status; without one, the HTTP status and the first 200 characters of the body."""
    message = _status(response).get("message")
    if isinstance(message, str) and message:
        return message
    text = response.body.decode(errors="replace").strip()[:200]
    return f"HTTP status {response.status}{f': {text}' if text else ''}"


def _status(response: Response) -> Mapping[str, Any]:
    """The JSON object in a response's body; empty if there is none."""
    try:
        status = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return status if isinstance(status, dict) else {}

"""Certificates, keys and tokens that a kubeconfig contains, or names as files."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bluegreen.kube.kubeconfig import KubeconfigError


def pem(entry: Mapping[str, Any], key: str) -> str:
    """The certificate or key that an entry contains (`<key>-data`, base64) or names as a file; empty if it has neither.

    Raises `KubeconfigError`.
    """
    data = entry.get(f"{key}-data")
    if not data:
        return text_of(entry[key]) if entry.get(key) else ""
    try:
        return base64.b64decode(data).decode()
    except ValueError:
        raise KubeconfigError(f"the {key}-data of the kubeconfig must be text in base64") from None


def text_of(file: str) -> str:
    """The text of a file that a kubeconfig names. Raises `KubeconfigError`."""
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:  # ValueError: not UTF-8, or an invalid file name
        raise KubeconfigError(f"a file that the kubeconfig names cannot be read: {error}") from None

"""Digests of secrets, which stand in names and annotations that everybody may list."""

import functools
import hashlib


@functools.lru_cache(maxsize=32)
def of_secret(text: str, salt: str) -> str:
    """Ten hexadecimal digits for `text`. Guessing it from them must be expensive: scrypt takes some 50 ms and 16 MiB a guess.

    Cached, because one update needs the digest of the same values several times.
    """
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()[:10]

"""The one error the sandbox raises on purpose."""


class SandboxError(Exception):
    """The sandbox cannot go on; the message says what happened, why, and what to do next."""

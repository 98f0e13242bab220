"""The error that the sandbox raises for expected failures."""


class SandboxError(Exception):
    """The sandbox cannot continue. The message says what happened, why, and what to do next."""

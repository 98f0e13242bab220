"""Environments of examples/notes: an application on a database of the sandbox's, with a schema for each environment."""

import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster import ROOT
from tests.conftest import Environments
from tests.stack import ONE_COLOR, SandboxEnvironment


@dataclass(frozen=True, kw_only=True)
class Database:
    """Where the sandbox's PostgreSQL is, and who may use it."""

    host: str
    port: str
    user: str
    password: str = field(repr=False)

    def query(self, statement: str) -> list[str]:
        """The rows of an answer, their fields separated by a bar. Raises `AssertionError` with the database's complaint."""
        command = [
            "psql",
            "--no-align",
            "--tuples-only",
            f"--host={self.host}",
            f"--port={self.port}",
            f"--command={statement}",
        ]
        variables = {"PATH": "/usr/bin:/bin", "PGUSER": self.user, "PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"}
        ran = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, f"{statement}: {ran.stderr.strip()}"
        return ran.stdout.splitlines()


@functools.cache
def database() -> Database:
    """The database of the sandbox, started if need be, when the images are loaded too."""
    command = [sys.executable, "-m", "dev.sandbox", "notes"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr
    said = dict(line.split("=", 1) for line in ran.stdout.splitlines())
    password = Path(said["DB_PASSWORD_FILE"]).read_text()
    return Database(host=said["DB_HOST"], port=said["DB_PORT"], user=said["DB_USER"], password=password)


@contextmanager
def notes(new_environment: Environments, change: Mapping[str, object] | None = None) -> Iterator[SandboxEnvironment]:
    """An environment for notes, blue 1.0 live, on which nothing is deployed yet. Its schema is dropped at the end."""
    environment, where = new_environment(ONE_COLOR | dict(change or {})), database()
    variables = {"DB_HOST": where.host, "DB_PORT": where.port, "DB_USER": where.user, "DB_SCHEMA": environment.name}
    environment.set(
        {
            "bluegreen:image": "bluegreen.example/notes",
            "bluegreen:migrate": "/notes migrate",
            # On a machine that is busy, pods that ask for nothing get next to nothing.
            "bluegreen:resources": {"requests": {"cpu": "100m"}},
            "bluegreen:env": variables | {"PGSSLMODE": "disable"},
        }
    )
    environment.set_secret("bluegreen:secretEnv.DB_PASSWORD", where.password)
    try:
        yield environment
    finally:
        where.query(f'DROP SCHEMA IF EXISTS "{environment.name}" CASCADE')

"""A PostgreSQL for examples/notes: Debian's programs, with the sandbox's own data directory and port.

It is a process of the sandbox that is started on demand (`python -m dev.sandbox notes`) and removed with the sandbox. A
database cluster that the machine has is neither used nor changed.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev.sandbox import packages
from dev.sandbox.errors import SandboxError
from dev.sandbox.files import write_private
from dev.sandbox.layout import DATABASE_PORT, NODE_ADDRESS, POD_NETWORK, Layout
from dev.sandbox.processes import Processes, Service

# Also the name of the database, which is PostgreSQL's default.
USER = "notes"

# PostgreSQL refuses to run as root. A user namespace maps root to another user without changing the owner of files. An IPC
# namespace makes the kernel remove its shared memory when it is killed.
_NOT_AS_ROOT = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--ipc")

_INSTALLED = Path("/usr/lib/postgresql")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/bluegreen-sandbox.conf")


def install() -> bool:
    """Installs PostgreSQL if the machine does not have it; returns whether it did. Raises SandboxError if that fails."""
    if _programs():
        return False
    with _without_a_cluster():
        packages.install_by_name(["postgresql"])
    return True


def start(layout: Layout, processes: Processes) -> None:
    """Starts the database unless it runs, creates it if it has no data, and waits until it is healthy."""
    folder = _programs()
    assert folder is not None, "install() comes first"
    if not _data(layout).exists():
        _create(layout, folder)
    service = _service(layout, folder)
    processes.start(service)
    processes.wait(service)


def password_file(layout: Layout) -> Path:
    """The file with the password of `USER`; every sandbox has a different one."""
    return layout.database / "password"


def _programs() -> Path | None:
    """The program directory of the newest installed PostgreSQL; None if there is none."""
    folders = [path.parent for path in _INSTALLED.glob("*/bin/postgres")]
    return max(folders, key=lambda path: float(path.parent.name), default=None)


@contextlib.contextmanager
def _without_a_cluster() -> Iterator[None]:
    """Inside the block, installing the package does not create and start a database cluster, which is its default."""
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        _NO_CLUSTER.unlink()


def _data(layout: Layout) -> Path:
    return layout.database / "data"


def _create(layout: Layout, programs: Path) -> None:
    """Creates the data directory with `USER` and its database, atomically: by renaming a complete one."""
    new = layout.database / "data.new"
    shutil.rmtree(new, ignore_errors=True)
    password = secrets.token_hex(16)
    write_private(password_file(layout), password)
    options = ["--encoding=UTF8", "--locale=C", "--username=postgres", "--auth=scram-sha-256", "--no-sync"]
    _run(str(programs / "initdb"), *options, f"--pwfile={password_file(layout)}", f"--pgdata={new}")
    with (new / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {POD_NETWORK} scram-sha-256\n")
    statements = f"CREATE ROLE {USER} LOGIN PASSWORD '{password}'\nCREATE DATABASE {USER} OWNER {USER}\n"
    _run(str(programs / "postgres"), "--single", "-D", str(new), "postgres", stdin=statements)
    new.rename(_data(layout))


def _run(*command: str, stdin: str = "") -> None:
    environment = os.environ | {"LC_ALL": "C"}
    result = subprocess.run(
        [*_NOT_AS_ROOT, *command], input=stdin, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise SandboxError(f"PostgreSQL could not be set up: '{command[0]}' failed: {result.stderr.strip()[-1000:]}")


def _service(layout: Layout, programs: Path) -> Service:
    is_ready = [str(programs / "pg_isready"), "--quiet", f"--host={NODE_ADDRESS}", f"--port={DATABASE_PORT}", "--timeout=2"]
    settings = {
        "listen_addresses": NODE_ADDRESS,
        "port": DATABASE_PORT,
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "mmap",  # in the data directory; files in /dev/shm would outlive the sandbox
        # A disposable database need not survive a power failure.
        "fsync": "off",
        "max_wal_size": "256MB",
    }
    return Service(
        name="postgres",
        launcher=_NOT_AS_ROOT,
        command=[
            str(programs / "postgres"),
            "-D",
            str(_data(layout)),
            *(word for name, value in settings.items() for word in ("-c", f"{name}={value}")),
        ],
        environment={"LC_ALL": "C"},
        health_check=lambda: subprocess.run(is_ready, check=False).returncode == 0,
    )

"""A PostgreSQL for examples/notes: Debian's program, with a data directory and a port of the sandbox's own.

It is one of the sandbox's processes, but only there when somebody has asked for it, and goes when the sandbox goes. A
PostgreSQL that the machine has is neither used nor touched: of its package, only the programs are.
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

# Of the database too, which is PostgreSQL's own default.
USER = "notes"

# PostgreSQL refuses to run as root. In a user namespace root is somebody else, without a second owner of any file. In one for
# shared memory, what it has of that goes with it when it is killed.
_NOT_AS_ROOT = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--ipc")

_INSTALLED = Path("/usr/lib/postgresql")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/bluegreen-sandbox.conf")


def install() -> bool:
    """Install PostgreSQL if the machine lacks it; returns whether it did. Raises SandboxError where it cannot."""
    if _programs():
        return False
    with _without_a_cluster():
        packages.install_by_name(["postgresql"])
    return True


def start(layout: Layout, processes: Processes) -> None:
    """Start the database unless it runs, made anew if it has no data, and wait until it answers."""
    folder = _programs()
    assert folder is not None, "install() comes first"
    if not _data(layout).exists():
        _create(layout, folder)
    service = _service(layout, folder)
    processes.start(service)
    processes.wait(service)


def password_file(layout: Layout) -> Path:
    """Holds the password of `USER`, which is another one in every sandbox."""
    return layout.database / "password"


def _programs() -> Path | None:
    """The directory of the newest PostgreSQL that is installed."""
    found = [path.parent for path in _INSTALLED.glob("*/bin/postgres")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


@contextlib.contextmanager
def _without_a_cluster() -> Iterator[None]:
    """The package makes a database of its own and starts it when it is installed: that would be one too many."""
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n")
    try:
        yield
    finally:
        _NO_CLUSTER.unlink()


def _data(layout: Layout) -> Path:
    return layout.database / "data"


def _create(layout: Layout, programs: Path) -> None:
    """Make the data directory with `USER` and its database in it; it appears whole or not at all."""
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
        raise SandboxError(f"PostgreSQL could not be set up: '{command[0]}' said {result.stderr.strip()[-1000:]}")


def _service(layout: Layout, programs: Path) -> Service:
    answers = [str(programs / "pg_isready"), "--quiet", f"--host={NODE_ADDRESS}", f"--port={DATABASE_PORT}", "--timeout=2"]
    settings = {
        "listen_addresses": NODE_ADDRESS,
        "port": DATABASE_PORT,
        "unix_socket_directories": "",
        "dynamic_shared_memory_type": "mmap",  # in the data directory, instead of files in /dev/shm that would stay
        # A database that is thrown away need not survive a power cut.
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
        is_answering=lambda: subprocess.run(answers, check=False).returncode == 0,
    )

"""Two versions write to one database while its schema changes and users are moved to and fro: no write is lost or doubled."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urlsplit

from tests.cluster import eventually
from tests.conftest import Environments
from tests.entrance import Endpoint
from tests.notes import database, notes

# Together they write up to 300 times a second, and end by themselves when nobody stops them.
WRITERS, INTERVAL_SECONDS, LONGEST_SECONDS = 6, 0.02, 600
ENOUGH = 50
# Every fourth write changes the note of the one before: a new note alone would not show a column that falls behind.
CHANGES_EVERY = 4


class Writers:
    """Users who write notes, each on a connection of its own, and remember what they were told is written."""

    def __init__(self, entrance: Endpoint) -> None:
        self.acknowledged: dict[str, str] = {}
        self.failures: list[str] = []
        self.served: Counter[tuple[str, str]] = Counter()
        self._at = urlsplit(entrance.url).netloc
        self._headers = {"Host": entrance.host, "Content-Type": "application/x-www-form-urlencoded"}
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(WRITERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(10)

    def wait_for(self, color: str) -> None:
        """Wait until `color` has taken `ENOUGH` more writes of each kind."""
        enough = {method: self.served[color, method] + ENOUGH for method in ("POST", "PUT")}
        eventually(lambda: all(self.served[color, method] >= count for method, count in enough.items()), True)

    def _write(self, number: int) -> None:
        connection = http.client.HTTPConnection(self._at, timeout=30)
        deadline, count, key = time.monotonic() + LONGEST_SECONDS, 0, ""
        while not self._stopped.wait(INTERVAL_SECONDS) and time.monotonic() < deadline:
            count += 1
            if count % CHANGES_EVERY:
                key, text = f"{number}-{count}", f"text of {count}"
                self._send(connection, "POST", "/notes", key, text)
            else:
                self._send(connection, "PUT", f"/notes/{key}", key, f"changed by {count}")

    def _send(self, connection: http.client.HTTPConnection, method: str, path: str, key: str, text: str) -> None:
        wanted = {"POST": 201, "PUT": 200}[method]
        try:
            connection.request(method, path, urlencode({"key": key, "text": text}), self._headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.failures.append(f"{method} {path}: {error!r}")
            return
        if answer.status != wanted:
            self.failures.append(f"{method} {path}: {answer.status} {body!r}")
            return
        self.served[answer.getheader("x-color", ""), method] += 1
        self.acknowledged[key] = text


def written(entrance: Endpoint) -> list[tuple[str, str]]:
    """Every note that the version behind `entrance` knows."""
    answer = entrance.ask("/notes")
    assert answer.status == 200, answer.body
    found = [json.loads(line) for line in answer.body.splitlines()]
    return sorted((each["key"], each["text"]) for each in found)


def test_no_write_is_lost_while_the_schema_grows_and_users_move_to_and_fro(
    new_environment: Environments, figures: Callable[[str], None]
) -> None:
    with notes(new_environment) as environment:
        environment.up()
        environment.users.wait_for("blue")
        began = time.monotonic()
        with Writers(environment.users) as writers:
            writers.wait_for("blue")  # for notes that were there before the migration
            environment.deploy("green", "2.0")
            for color in ("green", "blue", "green"):
                environment.activate(color)
                writers.wait_for(color)
        seconds = time.monotonic() - began
        assert writers.failures == []
        acknowledged = sorted(writers.acknowledged.items())
        assert written(environment.users) == acknowledged  # 2.0
        assert written(environment.testers) == acknowledged  # 1.0
        assert (
            database().query(f'SELECT key, text, body FROM "{environment.name}".notes WHERE text IS DISTINCT FROM body') == []
        )
        figures(
            f"a migration, 3 switches and {sum(writers.served.values()):,} writes "
            f"({sum(writers.served.values()) / seconds:.0f} a second): none failed, lost or doubled"
        )


def test_no_write_is_lost_while_the_old_column_is_dropped_in_a_later_release(
    new_environment: Environments, figures: Callable[[str], None]
) -> None:
    before = {"bluegreen:activeColor": "green", "blue:imageTag": None, "green:imageTag": "2.0"}
    with notes(new_environment, before) as environment:
        environment.up()
        environment.users.wait_for("green")
        with Writers(environment.users) as writers:
            writers.wait_for("green")
            environment.deploy("blue", "3.0")
            for color in ("blue", "green", "blue"):
                environment.activate(color)
                writers.wait_for(color)
            environment.retire("green")
        assert writers.failures == []
        assert written(environment.users) == sorted(writers.acknowledged.items())
        columns = f"SELECT column_name FROM information_schema.columns WHERE table_schema = '{environment.name}' ORDER BY 1"
        assert "text" not in database().query(columns)
        figures(f"an old column dropped under {sum(writers.served.values()):,} writes: none failed, lost or doubled")

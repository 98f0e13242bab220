"""One change of an environment: the config file, the update, and what is put back when nothing came of it.

A change is written into the config file before the update begins. So a command that is killed leaves the wish behind, and
whatever runs next fulfills it: the same command, `bluegreen up`, or `pulumi up`. When an update is refused, or fails before it
has written anything, the values are put back. Commands on one host that share a config file take turns; between hosts, the
lock of the stack keeps updates apart.
"""

import contextlib
import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bluegreen.cli import config_edit, deployed, engine_config, file_write, lock
from bluegreen.cli.config_changes import EXPECT, Changes
from bluegreen.cli.config_edit import ConfigFileError
from bluegreen.cli.outcomes import Exit, ReleaseError
from bluegreen.cli.progress import Progress
from bluegreen.cli.selection import Selection
from bluegreen.cli.stack import Stack
from bluegreen.cli.updates import EngineStep, Record, UpdateError
from bluegreen.kube.cluster import LiveError
from bluegreen.release.about import About
from bluegreen.release.endpoint import Endpoint
from bluegreen.release.live import Live
from bluegreen.routing import find
from bluegreen.workload.base import worker_name


@dataclass(frozen=True, kw_only=True)
class Session:
    """What every verb works with: the environment, how long it may wait and work, and where it shows what it does.

    `is_from_state` says whether the config file has the release of the last good update, and not what a person wrote.
    """

    selection: Selection
    progress: Progress
    wait_seconds: float = 600
    timeout_seconds: float = 3600
    is_from_state: bool = False

    def stack(self) -> Stack:
        """The stack of the environment."""
        return Stack(
            self.selection.stack,
            self.selection.config_file,
            wait_seconds=self.wait_seconds,
            timeout_seconds=self.timeout_seconds,
            show=self._show,
        )

    def apply(
        self,
        verb: str,
        changes: Changes,
        *,
        about: About | None = None,
        expect: str | None = None,
        watch: Endpoint | None = None,
        route_alone: bool = False,
        files: Mapping[Path, str] | None = None,
    ) -> Record:
        """Makes `changes` in the config, writes `files`, and runs the update.

        The program refuses an update that does more than `about` covers; None may change anything.
        `expect` is what a switch approves, for this update alone; `watch` is where a terminal shows who serves. With
        `route_alone` (users have been moved already) a preview comes first, anything else that it would change stops the
        command, and the config keeps the change whatever happens: it says where users are.

        Raises `ReleaseError`; it says where users are.
        """
        file = self.selection.config_file
        with (
            self.progress.working(verb, self.selection, watch),
            lock.turn(file, self.wait_seconds, self._show),
            _as_release_error(),
        ):
            # Before the config, which names them.
            written = [file_write.write(path, text) for path, text in (files or {}).items()]
            try:
                made = config_edit.change(file, {**changes, **({EXPECT: expect} if expect else {})})
            except ConfigFileError:
                _take_back(written)
                raise
            try:
                if route_alone:
                    self._refuse_more_than_the_route()
                record = self.stack().up(f"bluegreen {verb}, by {lock.who()}", about)
            except ReleaseError as error:
                is_wished = isinstance(error, UpdateError) and error.record.has_changed
                if not is_wished and not route_alone:
                    made.take_back()
                    _take_back(written)
                elif expect and isinstance(error, UpdateError) and error.record.is_not_served:
                    _forget(made, expect)  # users moved by the route, so the approval is used up
                raise error.with_text(self._where_users_are_after(error)) from None
            if expect:
                _forget(made, expect)
        for warning in record.warnings:
            self.progress.event("warning", f"warning: {warning}", message=warning)
        return record

    def _refuse_more_than_the_route(self) -> None:
        settings = self.selection.place()
        expected = {(ref.kind, ref.name) for ref in find(settings.routing).route(settings.service)}
        # Workers follow the users.
        expected |= {
            ("Deployment", worker_name(color, worker)) for color in settings.service.colors.values() for worker in color.workers
        }
        planned = [step for step in self.stack().preview().began if step.is_object and not _is_left_over(step)]
        if more := [str(step) for step in planned if (step.kind, step.name) not in expected]:
            raise ReleaseError(
                Exit.UNEXPECTED_CHANGES,
                f"The config asks for more than the route: {', '.join(more)}.\n"
                "  next: bluegreen plan, and bluegreen up if that is meant",
            )

    def _show(self, what: EngineStep | str) -> None:
        if isinstance(what, str):
            self.progress.passing(what)
        elif what.is_object:
            self.progress.step(what.operation, what.kind, what.name)

    def _where_users_are_after(self, error: ReleaseError) -> str:
        is_said = isinstance(error, UpdateError) and error.record.is_refused_at_once
        return "" if is_said else self.where_users_are()

    def where_users_are(self) -> str:
        """A sentence for the end of an error: what the route says now. Who is served is not looked at."""
        try:
            live = self.live()
        except ReleaseError as error:
            return f"Where the route sends users is not known: {error}"
        if live.foreign:
            return f"The route sends users to {live.active or 'no color that is known'}; {live.foreign}."
        return f"The route sends users to {live.active}." if live.active else "No route sends users anywhere yet."

    def live(self) -> Live:
        """What is live now. Raises `ReleaseError`."""
        try:
            return self.selection.cluster().live()
        except LiveError as error:
            raise ReleaseError(Exit.ERROR, str(error)) from None


def _take_back(written: list[file_write.Written]) -> None:
    for file in written:
        file.take_back()


def _forget(made: config_edit.Change, expect: str) -> None:
    """Takes an approval out of the config file, where it was for one update."""
    # If the file has the same approval already, a killed run of this command wrote it.
    had = made.had[EXPECT]
    config_edit.change(made.file, {EXPECT: None if had == expect else had})


def _is_left_over(step: EngineStep) -> bool:
    """Whether a step removes variables that no pod uses any more; see `components.color`."""
    return step.operation == "delete" and step.kind in ("ConfigMap", "Secret")


@contextlib.contextmanager
def opened(
    selection: Selection,
    progress: Progress,
    *,
    from_state: bool,
    release_from_state: bool = False,
    wait_seconds: float,
    timeout_seconds: float,
) -> Iterator[Session]:
    """A session; `from_state` gives it a config file of its own with the config of the last good update, and
    `release_from_state` one with the release of that update and all else as it is in the environment's file."""
    engine_config.refuse_partial_updates()
    with contextlib.ExitStack() as until_the_end:
        if from_state or release_from_state:
            directory = until_the_end.enter_context(tempfile.TemporaryDirectory(prefix="bluegreen-"))
            file = Path(directory, selection.config_file.name)
            rest = selection.config_file if release_from_state else None
            selection = dataclasses.replace(selection, config_file=file)
            deployed.write(selection.stack, file, timeout_seconds, rest)
        yield Session(
            selection=selection,
            progress=progress,
            wait_seconds=wait_seconds,
            timeout_seconds=timeout_seconds,
            is_from_state=from_state or release_from_state,
        )


@contextlib.contextmanager
def _as_release_error() -> Iterator[None]:
    try:
        yield
    except ConfigFileError as error:
        raise ReleaseError(Exit.CONFIG, str(error)) from None

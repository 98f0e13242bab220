"""What passes is taken back on a terminal, told once elsewhere, and an event in JSON; what has happened stays."""

import json
import re
import sys

import pytest
from rich.text import Text

from bluegreen.cli.picture import colors
from bluegreen.cli.progress import Progress, console
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.traffic import Traffic


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Progress:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    return Progress(is_json=False)


def tell(progress: Progress) -> None:
    progress.passing("asking")
    progress.passing("asking")
    progress.event("done", "activate green: 1 object changed", changed=["update VirtualService/shop"])


def test_without_a_terminal_each_event_is_one_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Progress(is_json=False))
    assert capsys.readouterr().out == "  asking\nactivate green: 1 object changed (0.0 s)\n"


def test_a_terminal_takes_back_what_was_passing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    tell(on_a_terminal(monkeypatch))
    shown = re.sub(r"\d+\.\d s", "0.0 s", capsys.readouterr().out)
    assert shown == "\r\x1b[2K  asking\r\x1b[2Kactivate green: 1 object changed (0.0 s)\n"


def test_what_is_passing_never_fills_more_than_the_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    on_a_terminal(monkeypatch).passing("x" * 100)
    assert capsys.readouterr().out == f"\r\x1b[2K  {'x' * 17}"


def test_a_terminal_that_can_take_nothing_back_gets_plain_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    tell(Progress(is_json=False))
    assert "\x1b" not in capsys.readouterr().out


def test_in_json_everything_is_an_event_and_words_for_people_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(is_json=True)
    tell(progress)
    progress.line("for people")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["schema"], line["event"]) for line in lines] == [(1, "waiting"), (1, "done")]


def test_nothing_is_colored_when_nobody_wants_colors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    console().print(Text("blue", style="blue"))
    assert capsys.readouterr().out == "blue\n"


def test_the_picture_shows_each_color_with_its_pods_and_who_is_on_it() -> None:
    live = Live(
        traffic=Traffic.to("blue", "green"),
        colors={
            "blue": LiveColor(image="shop:1.0", replicas=2, ready=2),
            "green": LiveColor(image="shop:2.0-rc", replicas=3, ready=1),
        },
    )
    lines = [line.plain.split() for line in colors(live)]
    assert lines == [
        ["blue", "1.0", "●●", "2/2", "ready", "users"],
        ["green", "2.0-rc", "●○○", "1/3", "ready", "testers"],
    ]

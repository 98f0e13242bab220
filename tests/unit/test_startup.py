"""What a process does before its imports, and the private names of the SDK that the program uses."""

import gc
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from pulumi.runtime import config, set_all_config

from bluegreen import startup
from tests.unit.program import ROOT


@pytest.fixture
def as_before() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)
    gc.enable()


@pytest.mark.usefixtures("as_before")
def test_no_garbage_is_collected_during_the_imports_of_the_program_and_their_modules_are_not_searched_again() -> None:
    with startup.program_imports():
        assert not gc.isenabled()
        imported: list[list[None]] = [[]]
    assert gc.isenabled()
    # The collector lists what it may search, and no frozen object.
    assert not {id(imported), id(imported[0])} & set(map(id, gc.get_objects()))


@pytest.mark.usefixtures("as_before")
def test_an_import_that_fails_turns_collections_on_again() -> None:
    with pytest.raises(ImportError), startup.program_imports():
        raise ImportError
    assert gc.isenabled()


def test_the_sdk_has_the_private_names_that_show_every_key_and_whether_it_is_secret() -> None:
    before, secret = config.CONFIG.get(), list(config._SECRET_KEYS.get())
    try:
        set_all_config({"bluegreen:app": "shop", "blue:secretEnv": "{}"}, ["blue:secretEnv"])
        assert config.CONFIG.get() == {"bluegreen:app": "shop", "blue:secretEnv": "{}"}
        assert [key for key in config.CONFIG.get() if config.is_config_secret(key)] == ["blue:secretEnv"]
    finally:
        set_all_config(before, secret)


def test_the_module_that_runs_before_the_imports_imports_nothing_large() -> None:
    program = "import sys; before = {*sys.modules}; import bluegreen.startup; print(*sorted({*sys.modules} - before))"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in ran.stdout.split()}
    assert imported <= {"bluegreen", *sys.stdlib_module_names}
    assert len(imported) < 20

"""Config that cannot be used is refused in words, before anything is touched. What depends on what is live: test_rules.py."""

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.stack import ONE_COLOR, Environment, environment_of_its_own


@pytest.fixture(scope="module")
def live(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A live environment, whose config each test spoils in its own way."""
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("live"), ONE_COLOR) as environment:
        environment.up()
        yield environment


@pytest.fixture
def config(live: Environment) -> Iterator[None]:
    """Puts the config back afterwards."""
    text = live.config_file.read_text()
    yield
    live.config_file.write_text(text)


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("command", ["preview", "up"])
def test_everything_wrong_with_the_config_is_told_at_once_and_nothing_is_touched(live: Environment, command: str) -> None:
    before = live.objects()
    live.set({"bluegreen:app": "My_App", "bluegreen:routing": "dns", "green:replcas": 3})
    result = live.preview(succeeds=False) if command == "preview" else live.up(succeeds=False)
    for said in ("bluegreen:app: My_App", "one of istio, selector", "Did you mean green:replicas?", "Nothing was changed."):
        assert said in result.text
    assert "Traceback" not in result.text
    assert result.written == set()
    assert live.objects() == before


@pytest.mark.usefixtures("config")
def test_a_tag_without_quotes_that_yaml_reads_as_a_number_is_refused(live: Environment) -> None:
    live.config_file.write_text(live.config_file.read_text().replace("config:\n", "config:\n  green:imageTag: 1.10\n"))
    result = live.up(succeeds=False)
    assert 'green:imageTag: "1.10"' in result.text
    assert live.config_file.name in result.text
    assert result.written == set()

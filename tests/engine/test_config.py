"""Config that cannot be used is refused in words, before anything is touched."""

from collections.abc import Iterator

import pytest

from tests.cluster import Cluster
from tests.stack import ONE_COLOR, Environment, environment_of_its_own

REFUSED = [
    pytest.param({"bluegreen:activeColor": "red"}, "bluegreen:activeColor", id="an unknown color"),
    pytest.param({"bluegreen:activeColor": "green"}, "green:imageTag is not set", id="an active color without an image"),
    pytest.param({"bluegreen:testColor": "blue"}, "bluegreen:testColor", id="one color for users and testers"),
    pytest.param({"bluegreen:app": "My_App"}, "bluegreen:app", id="a name that the cluster would refuse"),
    pytest.param({"green:replcas": 3}, "green:replicas", id="a key that does not exist"),
    pytest.param({"bluegreen:routing": "dns"}, "istio, selector", id="a routing that does not exist"),
]


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
@pytest.mark.parametrize(("change", "said"), REFUSED)
def test_config_that_cannot_be_used_is_refused_and_nothing_is_touched(
    live: Environment, change: dict[str, object], said: str
) -> None:
    before = live.objects()
    live.set(change)
    result = live.up(succeeds=False)
    assert said in result.text
    assert "Nothing was changed." in result.text
    assert "Traceback" not in result.text
    assert result.written == set()
    assert live.objects() == before


@pytest.mark.usefixtures("config")
def test_a_preview_refuses_the_same(live: Environment) -> None:
    live.set({"bluegreen:activeColor": "green"})
    result = live.preview(succeeds=False)
    assert "green:imageTag is not set" in result.text
    assert "Traceback" not in result.text


@pytest.mark.usefixtures("config")
def test_a_tag_without_quotes_that_yaml_reads_as_a_number_is_refused(live: Environment) -> None:
    live.config_file.write_text(live.config_file.read_text().replace("config:\n", "config:\n  green:imageTag: 1.10\n"))
    result = live.up(succeeds=False)
    assert 'green:imageTag: "1.10"' in result.text
    assert live.config_file.name in result.text
    assert result.written == set()

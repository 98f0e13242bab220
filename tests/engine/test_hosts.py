"""Two environments for one host at one gateway: the younger one is refused, because it would never be reached."""

from bluegreen.release.refusals import Rule
from tests.conftest import Environments
from tests.engine.onlookers import by, refused, served_by
from tests.stack import ONE_COLOR


def test_a_second_environment_for_one_host_is_refused_until_it_has_its_own(new_environment: Environments) -> None:
    """Not for any host (`*`): that environment would serve the users of every other test, too."""
    first = new_environment(ONE_COLOR | {"bluegreen:replicas": 1})
    first.up()
    first.users.wait_for("blue")
    shared: dict[str, object] = {"bluegreen:host": first.host, "bluegreen:replicas": 1}
    second = new_environment({"green:imageTag": "2.0", "bluegreen:activeColor": "green"} | shared)
    with served_by(first, "blue"):
        refused(second, *by(Rule.OWN_HOST), f"Gateway {first.name}/myapp-gateway", "pulumi config set host")
        assert second.objects() == {}
        second.set({"bluegreen:allow": ["share-host"]})
        assert "bluegreen:allow has share-host, so this goes on" in second.up().text
        assert f"Gateway {second.name}/myapp-gateway" in first.up().text
        assert {first.users.served_by() for _ in range(20)} == {"blue"}
        second.set({"bluegreen:allow": None, "bluegreen:host": second.host})
        second.up()
        second.users.wait_for("green")

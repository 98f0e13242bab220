"""A release with a source of workloads of somebody's own: nothing but its one file knows of it."""

from bluegreen.release.live import live_color
from tests.command import Operator
from tests.conftest import Environments
from tests.engine.onlookers import served_by
from tests.stack import ONE_COLOR


def test_a_release_of_a_workload_of_ones_own(new_environment: Environments) -> None:
    environment = new_environment(ONE_COLOR | {"bluegreen:workload": "tests.workload_with_sidecar", "bluegreen:replicas": 1})
    operator = Operator(environment)
    environment.up()
    environment.users.wait_for("blue")
    with served_by(environment, "blue", "green"):
        failed = operator.run("deploy", "green", "--image", "9.9", status=4)
        assert "container web" in failed.err
        operator.run("deploy", "green", "--image", "2.0")
        operator.run("test", "green")
        assert live_color(environment.get("deployment", "myapp-green")).image == "bluegreen.example/app:2.0"
        operator.run("activate", "green")
        operator.run("rollback")
        environment.users.wait_for("blue")
        operator.run("activate", "green")
        operator.run("rollback", "--now")
        environment.users.wait_for("blue")
        environment.set({"bluegreen:activeColor": "blue"})
        operator.run("up")
        operator.run("decommission", "green")
    assert environment.up().written == set()

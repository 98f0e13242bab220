"""The command `bluegreen` on the real engine and the real cluster: whole releases by its words alone."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.traffic.report import totals
from tests.cluster import SandboxCluster, eventually
from tests.command import LONGEST_SECONDS, Operator
from tests.conftest import Environments
from tests.engine.onlookers import AnotherStack
from tests.stack import BOTH_COLORS, ONE_COLOR, ONE_POD, environment_of_its_own, other


@pytest.fixture(scope="module")
def shared(cluster: SandboxCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The environment of this module."""
    config = BOTH_COLORS | ONE_POD
    with environment_of_its_own(cluster, tmp_path_factory.mktemp("shared"), config) as environment:
        operator = Operator(environment)
        operator.run("up")
        environment.users.wait_for("blue")
        yield operator


@pytest.fixture(scope="module")
def first_config(shared: Operator) -> str:
    return shared.config()


@pytest.fixture
def operator(shared: Operator, first_config: str) -> Operator:
    """Blue 1.0 is live and green 2.0 is ready. A test that ends otherwise costs the next one an update or two."""
    if config_of(shared.config())["bluegreen:activeColor"] != "blue":
        shared.run("activate", "blue")
    if config_of(shared.config()) != config_of(first_config):
        shared.config_file.write_text(first_config)
        shared.run("up")
    return shared


def config_of(text: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(text)["config"]
    return found


@pytest.fixture
def onlooker(operator: Operator) -> Iterator[Operator]:
    """An operator whose test must leave the objects as they are; the config is put back."""
    before = operator.config()
    yield operator
    operator.config_file.write_text(before)
    assert operator.environment.users.served_by() == "blue"


def test_two_whole_releases_by_the_command_alone_lose_no_request(new_environment: Environments, tmp_path: Path) -> None:
    environment = new_environment(ONE_COLOR)
    operator = Operator(environment)
    operator.run("up")
    environment.users.wait_for("blue")
    checks = tmp_path / "smoke.yaml"
    with environment.users.load(rate=200, seconds=600) as load:
        for color, tag in (("green", "2.0"), ("blue", "3.0")):
            checks.write_text(f"- {{path: /ping, body: '{tag}', headers: {{x-color: {color}}}}}\n")
            operator.run("deploy", color, "--image", tag, "--release", f"v{tag}")
            operator.run("test", color, "--checks", str(checks), behind=["sh", "-c", f"test $BLUEGREEN_COLOR = {color}"])
            assert environment.users.served_by() == other(color)
            operator.run("activate", color, "--expect-release", f"v{tag}", "--expect-image", tag)
            assert environment.users.served_by() == color
            operator.run("rollback")
            assert environment.users.served_by() == other(color)
            operator.run("activate", color)
            operator.run("decommission", other(color))
    counted = totals(load.stop())
    assert counted.failed == 0, counted.errors
    assert "expect" not in operator.config()
    assert "Deployment/myapp-green" not in environment.objects()


def test_only_pods_that_passed_the_smoke_tests_count_as_tested(operator: Operator) -> None:
    untested = operator.run("activate", "green", "--expect-tested", status=13)
    assert "the pods of green were never tested" in untested.err
    operator.run("test", "green")
    operator.run("activate", "green", "--expect-tested", status=13)
    operator.run("test", "green", behind=["true"])
    operator.run("deploy", "green", "--image", "3.0")
    newer = operator.run("activate", "green", "--expect-tested", status=13)
    assert "are newer than the last smoke test" in newer.err
    operator.run("test", "green", behind=["true"])
    operator.run("activate", "green", "--expect-tested")
    assert operator.environment.users.served_by() == "green"


def test_what_is_already_so_ends_well_and_changes_nothing(onlooker: Operator) -> None:
    before = onlooker.environment.objects()
    assert "nothing to do" in onlooker.run("activate", "blue").out
    assert onlooker.environment.objects() == before


def test_a_refused_change_has_its_own_status_and_is_not_left_in_the_config(onlooker: Operator) -> None:
    before = onlooker.config()
    refused = onlooker.run("deploy", "blue", "--image", "3.0", status=13)
    assert "Refused [bluegreen:LIVE_STAYS]: the pods of the live color do not change in place" in refused.err
    assert "users stay on blue" in refused.err
    assert onlooker.config() == before


def test_a_stale_approval_is_refused(operator: Operator) -> None:
    operator.run("deploy", "green", "--image", "3.0", "--release", "v3.0-green")
    operator.run("activate", "green", "--expect-release", "v2.0-green", status=13)
    assert operator.environment.users.served_by() == "blue"
    assert "expect" not in operator.config()


def test_failed_smoke_tests_have_their_own_status_and_move_nobody(onlooker: Operator, tmp_path: Path) -> None:
    checks = tmp_path / "smoke.yaml"
    checks.write_text("- {path: /ping, status: 418}\n")
    failed = onlooker.run("test", "green", "--checks", str(checks), "--json", status=10)
    assert [line["passed"] for line in failed.lines if line["event"] == "check"] == [False]
    assert failed.lines[-1]["status"] == 10
    onlooker.run("test", "green", status=10, behind=["false"])
    refused = onlooker.run("activate", "green", "--expect-tested", status=13)
    assert "the pods of green failed their smoke tests" in refused.err
    assert onlooker.environment.users.served_by() == "blue"


def test_a_color_that_does_not_become_ready_fails_as_a_resource_and_its_run_is_waited_for(
    operator: Operator, tmp_path: Path
) -> None:
    operator.environment.set({"green:readyTimeoutSeconds": 8})
    second = operator.elsewhere(tmp_path)
    busy = operator.start("deploy", "green", "--image", "no-such-tag")
    eventually(lambda: any(operator.environment.locks.glob("*.json")), True)
    locked = second.run("activate", "blue", "--wait", "1s", status=12)
    assert "(process " in locked.err
    out, err = busy.communicate(timeout=LONGEST_SECONDS)
    assert busy.returncode == 4, out + err
    assert "myapp-green did not become ready" in err
    assert "users stay on blue" in err
    assert "no-such-tag" in operator.config()
    operator.environment.set({"green:readyTimeoutSeconds": None})
    operator.run("deploy", "green", "--image", "2.0")


def test_config_that_cannot_be_used_is_told_from_a_failure(onlooker: Operator) -> None:
    before = onlooker.config()
    onlooker.run("test", "blue", status=2)
    onlooker.run("deploy", "green", "--image", "not a tag", status=2)
    onlooker.run("deploy", "red", "--image", "2.0", status=2)
    assert onlooker.config() == before


def test_a_stack_that_is_not_there_and_a_wrong_passphrase_have_their_statuses(onlooker: Operator, tmp_path: Path) -> None:
    onlooker.run("up", "--stack", "no-such-stack", status=6)
    locked = AnotherStack(onlooker.environment, tmp_path, "locked", onlooker.environment.state, {})
    Operator(locked).run("up", status=3, PULUMI_CONFIG_PASSPHRASE="wrong")


def test_a_command_that_may_not_take_long_enough_is_told_to_stop(operator: Operator) -> None:
    stopped = operator.run("deploy", "green", "--image", "3.0", "--timeout", "1s", status=9)
    assert "told to stop" in stopped.err
    operator.run("deploy", "green", "--image", "2.0")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "a canceled pipeline"])
def test_a_command_that_is_canceled_gives_the_lock_back_and_can_be_run_again(operator: Operator, sent: signal.Signals) -> None:
    environment = operator.environment
    before = environment.get("deployment", "myapp-green")["metadata"]["generation"]
    process = operator.start("deploy", "green", "--image", "no-such-tag")
    eventually(lambda: environment.get("deployment", "myapp-green")["metadata"]["generation"] > before, True)
    process.send_signal(sent)
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert process.returncode == 8, out + err
    operator.run("deploy", "green", "--image", "2.0")
    assert operator.environment.users.served_by() == "blue"


def test_an_update_that_would_change_more_than_the_route_stops_the_second_half_of_rollback_now(operator: Operator) -> None:
    operator.run("activate", "green")
    operator.environment.set({"blue:replicas": 3})
    stopped = operator.run("rollback", "--now", status=7)
    assert "update Deployment/myapp-blue" in stopped.err
    assert "The route sends users to blue" in stopped.err
    operator.environment.users.wait_for("blue")
    assert "activeColor: blue" in operator.config()
    operator.environment.set({"blue:replicas": None})
    operator.run("up")
    assert operator.environment.users.served_by() == "blue"


def test_a_cluster_that_cannot_be_read_stops_everything(onlooker: Operator) -> None:
    before = onlooker.config()
    failed = onlooker.run("activate", "green", status=1, KUBECONFIG="/dev/null")
    assert "the current context" in failed.err
    assert onlooker.config() == before


def test_a_lock_that_a_killed_run_has_left_is_explained_and_not_removed(onlooker: Operator) -> None:
    locks = onlooker.environment.locks
    locks.mkdir(parents=True, exist_ok=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = {"pid": gone.pid, "username": "ada", "hostname": os.uname().nodename, "timestamp": "2026-01-02T03:04:05Z"}
    (locks / "11111111-2222-3333-4444-555555555555.json").write_text(json.dumps(left))
    # In a container nobody can be sure that the process is gone; then it is waited for.
    explained = onlooker.run("activate", "green", "--wait", "1s", status=12)
    assert f"pulumi cancel {onlooker.environment.name}, then this command again" in explained.err
    assert f"ada@{os.uname().nodename} (process {gone.pid}) since 2026-01-02 03:04:05" in explained.err
    assert list(locks.iterdir())
    shutil.rmtree(locks)


def test_a_pipeline_without_a_config_file_goes_on_from_the_last_good_update(operator: Operator) -> None:
    operator.run("deploy", "blue", "--image", "3.0", status=13)
    users = operator.environment.users
    away = operator.environment.config_file.rename(operator.environment.config_file.with_suffix(".away"))
    operator.run("activate", "green", "--from-state", "--expect-image", "2.0")
    assert users.served_by() == "green"
    operator.run("rollback", "--from-state")
    assert users.served_by() == "blue"
    assert not operator.environment.config_file.exists()
    away.rename(operator.environment.config_file)


def test_a_tag_chooses_the_lane_and_is_refused_on_the_live_one(operator: Operator) -> None:
    operator.run("release", "v3.0-blue", status=13)
    operator.run("release", "v3.0-green", "--activate", behind=["sh", "-c", "test $BLUEGREEN_COLOR = green"])
    assert operator.environment.users.served_by() == "green"


def test_an_address_that_nobody_knows_stops_a_switch_before_it_begins(onlooker: Operator) -> None:
    onlooker.environment.set({"bluegreen:host": "*"})
    refused = onlooker.run("activate", "green", "--url", "", status=2)
    assert "nothing was done" in refused.err
    assert onlooker.environment.users.served_by() == "blue"


def test_a_second_rollback_moves_nobody_forward_and_the_status_and_the_history_show_what_happened(operator: Operator) -> None:
    operator.run("deploy", "green", "--image", "3.0", "--release", "v3.0-green")
    operator.run("activate", "green")
    operator.run("rollback")
    assert "nothing to do" in operator.run("rollback").out
    assert operator.environment.users.served_by() == "blue"
    seen = operator.run("status", "--json").lines[0]
    assert (seen["active"], seen["test"], seen["drift"]) == ("blue", "green", [])
    row = next(each for each in seen["rows"] if each["color"] == "green")
    assert (row["role"], row["release"], row["ready"], row["wanted"]) == ("test", "v3.0-green", 1, 1)
    moved = [each for each in operator.run("history", "--json").lines if each["event"] == "switch"]
    assert [(each["from"], each["to"], each["how"]) for each in moved][:2] == [
        ("green", "blue", "rollback to blue"),
        ("blue", "green", "activate green"),
    ]
    operator.environment.set({"green:imageTag": "4.0"})
    assert "green runs" in operator.run("status").out


def test_rollback_now_is_refused_when_the_other_color_is_not_ready(operator: Operator) -> None:
    environment = operator.environment
    green = ("deployment/myapp-green", "--namespace", environment.name)
    environment.cluster.kubectl("scale", *green, "--replicas=0")
    eventually(lambda: environment.get("deployment", "myapp-green")["status"].get("readyReplicas", 0), 0)
    refused = operator.run("rollback", "--now", "green", status=13)
    assert "users stay on blue" in refused.err
    assert "pods of green are ready" in refused.err
    assert environment.users.served_by() == "blue"
    environment.cluster.kubectl("scale", *green, "--replicas=1")
    environment.cluster.kubectl("rollout", "status", *green, "--timeout=50s")


def test_a_plan_tells_the_switch_and_touches_nothing(onlooker: Operator) -> None:
    before = onlooker.environment.objects()
    onlooker.environment.set({"bluegreen:activeColor": "green", "bluegreen:testColor": "blue"})
    told = [onlooker.run("plan", "--markdown").out for _ in range(2)]
    assert told[0] == told[1]
    assert f"{onlooker.environment.host}`: blue 1.0 -> green 2.0" in told[0]
    assert "- Pods: none change" in told[0]
    assert "| `~` | VirtualService | myapp-blue-green |" in told[0]
    onlooker.environment.set({"green:imageTag": "3.0"})
    refused = onlooker.run("plan", "--markdown", status=13)
    assert "**Refused [bluegreen:NEVER_BOTH]: one update moves users or changes pods, never both**" in refused.out
    assert onlooker.environment.objects() == before

"""What a pull request is told of an update, compared with files in `golden/`.

`BLUEGREEN_GOLDEN=write` writes them anew: read the difference before you commit it.
"""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen.cli.plan import LONGEST, Plan, make, markdown, show
from bluegreen.cli.progress import Progress
from bluegreen.cli.updates import EngineStep, Record
from bluegreen.release.config_reader import read_settings
from bluegreen.release.live import Live, LiveColor
from bluegreen.release.settings import Settings
from bluegreen.release.snapshot import Snapshot, read_text
from bluegreen.release.traffic import Traffic

GOLDEN = Path(__file__).parent / "golden"

BLUE, GREEN = "registry.example/shop:1.0", "registry.example/shop:2.0"
LIVE = Live(
    traffic=Traffic.to("blue", "green"),
    route_owner="me",
    colors={"blue": LiveColor(image=BLUE), "green": LiveColor(image=GREEN)},
)
ROUTE = EngineStep(
    operation="update",
    kind="VirtualService",
    name="shop-blue-green",
    is_object=True,
    differs=("spec.http[0].route[0].destination.subset", "spec.http[1].route[0].destination.subset"),
)
DIFF = """\
Previewing update (prod):
@ previewing update....
  ~ kubernetes:networking.istio.io/v1:VirtualService: (update)
      ~ subset: "blue" => "green"

Resources:
    ~ 1 to update
Duration: 2s
"""


MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
      - name: shop
        image: %s
        env: [{name: THEME, value: %s}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""


def settings(active: str = "blue", test: str = "green") -> Settings:
    return read_settings(
        {
            "bluegreen:activeColor": active,
            "bluegreen:testColor": test,
            "bluegreen:app": "shop",
            "bluegreen:image": "registry.example/shop",
            "bluegreen:host": "shop.example",
            "blue:imageTag": "1.0",
            "green:imageTag": "2.0",
        }
    )


def plan(record: Record, wanted: Settings, live: Live | None = LIVE) -> Plan:
    return make(record, wanted, live, project="bluegreen", stack="prod")


def with_manifests(found: Settings) -> Settings:
    """Both colors are from manifests that differ in a variable and in their image."""
    colors = {}
    for name, color in found.service.colors.items():
        text = MANIFEST % (color.image, name)
        snapshot = Snapshot(path=f"{name}.yaml", documents=read_text(f"{name}.yaml", text))
        colors[name] = replace(color, snapshot=snapshot)
    return replace(found, service=replace(found.service, colors=colors))


def deployment(operation: str, name: str) -> EngineStep:
    return EngineStep(operation=operation, kind="Deployment", name=name, is_object=True, differs=("spec.template",))


def many(lines_of_diff: int = 10) -> Record:
    steps = [deployment("create", f"shop-{number:03}") for number in range(300)]
    return Record(began=steps[::-1], text="\n".join(f"+ a line of the diff of resource {n}" for n in range(lines_of_diff)))


REFUSAL = (
    "Refused [bluegreen:READY]: users move only to a color that is ready\n"
    "  asked:  users from blue to green\n"
    "  live:   1 of 2 pods of green are ready\n"
    "  remedy: Wait until green is ready, or fix it; users stay where they are."
)

CASES = {
    "nothing-changes": plan(Record(text="Resources:\n    18 unchanged\n"), settings()),
    "a-switch": plan(Record(began=[ROUTE], text=DIFF), settings("green", "blue")),
    "a-switch-between-manifests": plan(Record(began=[ROUTE], text=DIFF), with_manifests(settings("green", "blue"))),
    "a-deployment": plan(
        Record(began=[deployment("create", "shop-green")], text=DIFF),
        settings(),
        Live(traffic=Traffic.to("blue"), colors={"blue": LiveColor(image=BLUE)}),
    ),
    "the-first-installation": plan(
        Record(began=[deployment("create", "shop-blue"), deployment("create", "shop-green")], text=DIFF), settings(), Live()
    ),
    "a-replacement": plan(Record(began=[deployment("replace", "shop-green")], warnings=["It is slow."], text=DIFF), settings()),
    "a-refusal": plan(Record(errors=[REFUSAL]), settings("green", "blue")),
    "an-error": plan(Record(errors=["The config has 1 error."]), settings(), None),
    "three-hundred-resources": plan(many(), settings()),
}


@pytest.mark.parametrize("case", CASES)
def test_the_summary_for_a_pull_request_is_as_it_was(case: str) -> None:
    file, summary = GOLDEN / f"{case}.md", markdown(CASES[case])
    if os.environ.get("BLUEGREEN_GOLDEN") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(summary)
    assert summary == file.read_text()


def test_users_who_move_to_fewer_pods_are_told_with_the_traffic(capsys: pytest.CaptureFixture[str]) -> None:
    colors = {"blue": LiveColor(image=BLUE, replicas=6, ready=6), "green": LiveColor(image=GREEN, replicas=2, ready=2)}
    made = plan(Record(errors=[REFUSAL]), settings("green", "blue"), Live(traffic=Traffic.to("blue", "green"), colors=colors))
    assert "`shop.example`: blue 1.0 -> green 2.0 (6 pods -> 2 pods)" in markdown(made)
    for is_json in (True, False):
        show(made, Progress(is_json=is_json), as_markdown=False)
    told = capsys.readouterr().out
    assert "  shop.example: blue 1.0 -> green 2.0 (6 pods -> 2 pods)\n" in told
    assert '"room": "6 pods -> 2 pods"' in told


@pytest.mark.parametrize("case", CASES)
def test_a_summary_begins_with_the_marker_of_its_stack_and_fits_into_a_comment(case: str) -> None:
    summary = markdown(CASES[case])
    assert summary.startswith("<!-- bluegreen plan: bluegreen/prod -->\n### prod: ")
    assert len(summary) <= LONGEST


def test_what_is_too_long_loses_the_end_of_the_diff_alone() -> None:
    summary = markdown(plan(many(5000), settings()))
    assert LONGEST - 100 < len(summary) <= LONGEST
    assert "and 260 more" in summary
    assert "... cut here; the whole diff: pulumi preview --diff\n````\n\n</details>\n" in summary


def test_the_order_in_which_the_engine_works_does_not_show() -> None:
    steps = [ROUTE, deployment("create", "shop-green"), deployment("create", "shop-blue")]
    there, back = (markdown(plan(Record(began=began), settings())) for began in (steps, steps[::-1]))
    assert there == back

"""What differs between the manifests of the two colors, object by object."""

from dataclasses import replace

from bluegreen.cli.snapshot_diff import difference
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Snapshot, read_text

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: shop/web:1.0
        env: [{name: LOG, value: info}]
        envFrom: [{configMapRef: {name: conf}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {A: "1"}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
"""


def color(name: str, text: str = MANIFEST, tag: str = "1.0") -> ColorSettings:
    snapshot = Snapshot(path=f"{name}.yaml", documents=read_text(f"{name}.yaml", text))
    return ColorSettings(app="web", name=name, image=f"shop/web:{tag}", snapshot=snapshot)


def test_the_same_manifest_in_another_order_differs_in_nothing() -> None:
    documents = MANIFEST.split("---\n")
    assert difference(color("blue"), color("green", "---\n".join(reversed(documents)))) == ""


def test_each_object_that_differs_is_shown_with_the_lines_around() -> None:
    changed = MANIFEST.replace("value: info", "value: debug").replace("port: 80", "port: 81")
    assert difference(color("blue"), color("green", changed)).splitlines() == [
        "# Deployment web",
        "@@",
        "         env:",
        "         - name: LOG",
        "-          value: info",
        "+          value: debug",
        "         envFrom:",
        "         - configMapRef:",
        "# Service web",
        "@@",
        " spec:",
        "   ports:",
        "-  - port: 80",
        "+  - port: 81",
        "   selector:",
        "     app: web",
    ]


def test_the_image_is_that_of_the_config_and_not_that_of_the_file() -> None:
    found = difference(color("blue"), color("green", tag="2.0"))
    assert [line for line in found.splitlines() if line[0] in "+-"] == [
        "-        image: shop/web:1.0",
        "+        image: shop/web:2.0",
    ]


def test_an_object_that_one_color_alone_has_is_shown_as_a_whole() -> None:
    without = MANIFEST.replace("        envFrom: [{configMapRef: {name: conf}}]\n", "").replace('data: {A: "1"}', "data: {}")
    found = difference(color("blue", without), color("green"))
    assert "# ConfigMap conf\n@@\n+apiVersion: v1\n+kind: ConfigMap\n" in found


def test_what_belongs_to_no_color_is_not_compared() -> None:
    assert difference(color("blue"), color("green", MANIFEST.replace("kind: Ingress", "kind: NetworkPolicy"))) == ""


def test_a_color_without_a_manifest_is_not_compared() -> None:
    assert difference(replace(color("blue"), snapshot=None), color("green")) == ""
    assert difference(color("blue"), color("green", MANIFEST.replace("kind: Deployment", "kind: Job"))) == ""

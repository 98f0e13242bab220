"""A manifest with everything that deriving a color touches, and how a test changes it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import yaml

from bluegreen.release.colors import COLORS
from bluegreen.release.manifest import Manifest
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Snapshot, read_text
from bluegreen.workload import manifest

FILE = "k8s/web.yaml"

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shops
  labels: {app: web, tier: front, app.kubernetes.io/managed-by: Helm}
  annotations: {note: kept, meta.helm.sh/release-name: web, kubectl.kubernetes.io/last-applied-configuration: "{}"}
  uid: 1-2-3
  creationTimestamp: null
spec:
  replicas: 2
  minReadySeconds: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web, tier: front, version: "1.0", app.kubernetes.io/managed-by: Helm}
      annotations: {prometheus.io/scrape: "true"}
    spec:
      serviceAccountName: web
      imagePullSecrets: [{name: registry}, {name: outside}]
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - labelSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}
            topologyKey: kubernetes.io/hostname
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 1
            podAffinityTerm:
              labelSelector: {matchLabels: {tier: front}}
              topologyKey: kubernetes.io/hostname
      topologySpreadConstraints:
      - labelSelector: {matchLabels: {app: database}}
        maxSkew: 1
        topologyKey: zone
        whenUnsatisfiable: DoNotSchedule
      initContainers:
      - name: assets
        image: registry.example/web:1.0
        envFrom: [{configMapRef: {name: settings}}]
      - name: proxy
        image: registry.example/proxy:7
        restartPolicy: Always
      containers:
      - name: nginx
        image: registry.example/nginx:1
        lifecycle: {preStop: {sleep: {seconds: 25}}}
        ports: [{name: http, containerPort: 8080}]
        securityContext: {readOnlyRootFilesystem: null}
      - name: web
        image: registry.example/web:1.0@sha256:0123
        args: [serve]
        ports: [{name: app, containerPort: 3000}, {name: metrics, containerPort: 9000}]
        readinessProbe: {httpGet: {path: /ready, port: app}}
        env:
        - {name: MODE, value: plain}
        - {name: PART, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
        - {name: FLAG, valueFrom: {configMapKeyRef: {name: settings, key: flag}}}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
        - {name: OTHER, valueFrom: {secretKeyRef: {name: vault, key: other}}}
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}, {configMapRef: {name: region}}]
        volumeMounts: [{name: files, mountPath: /files}, {name: all, mountPath: /all}]
      volumes:
      - {name: files, configMap: {name: files}}
      - {name: secret, secret: {secretName: keys}}
      - {name: all, projected: {sources: [{configMap: {name: settings}}, {secret: {name: keys}}]}}
      - {name: scratch, emptyDir: {}}
      - {name: data, persistentVolumeClaim: {claimName: data}}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {team: a, argocd.argoproj.io/instance: web}, annotations: {cloud: internal}}
spec:
  clusterIP: 10.0.0.1
  selector: {app: web, tier: front}
  ports: [{name: http, port: 80, targetPort: http, appProtocol: kubernetes.io/h2c}, {name: grpc, port: 90, targetPort: 3000}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {flag: "on"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: files}
immutable: true
binaryData: {logo: AAEC}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
type: Opaque
stringData: {token: "${secretData}"}
data: {cert: "${secretData}"}
---
apiVersion: v1
kind: Secret
metadata: {name: registry}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: "${secretData}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: unused}
data: {a: b}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  minReplicas: 2
  maxReplicas: 5
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web, namespace: elsewhere}
"""

SECRET_DATA = {"keys": {"token": "t", "cert": "Y2VydA=="}, "registry": {".dockerconfigjson": "{}"}}

Edit = Callable[[dict[str, Any]], object]
"""Changes the objects of a manifest, by kind and name: `Deployment/web`."""


def snapshot(edit: Edit | None = None) -> Snapshot:
    """The manifest above, changed by `edit`."""
    if not edit:
        return Snapshot(path=FILE, documents=read_text(FILE, WEB))
    objects = {f"{item['kind']}/{item['metadata']['name']}": item for item in deepcopy([*yaml.safe_load_all(WEB)])}
    edit(objects)
    return Snapshot(path=FILE, documents=read_text(FILE, yaml.safe_dump_all([*objects.values()], sort_keys=False)))


def color(edit: Edit | None = None, name: str = "blue", **settings: Any) -> ColorSettings:
    """A color of the application `shop` from that manifest."""
    given = {"app": "shop", "image": "", "namespace": "shops", "secret_data": SECRET_DATA} | settings
    return ColorSettings(name=name, snapshot=snapshot(edit), **given)


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """The pod spec of a Deployment."""
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


def container_of(objects: dict[str, Any], name: str = "web") -> dict[str, Any]:
    """A container of the Deployment, in an edit."""
    pod = pod_of(objects["Deployment/web"])
    return next(found for found in [*pod["containers"], *pod["initContainers"]] if found["name"] == name)


def objects_of(settings: ColorSettings) -> dict[str, Manifest]:
    """The objects of a color by kind, ConfigMaps and Secrets by kind and the beginning of their name."""
    assert [*manifest.problems(settings)] == []
    found = {}
    for made in manifest.objects(settings):
        is_values = made.kind in ("ConfigMap", "Secret")
        name = made.name.rpartition("-")[0].removeprefix(f"{settings.app}-{settings.name}-")
        found[f"{made.kind}/{name}" if is_values else made.kind] = made
    return found


def derived(settings: ColorSettings) -> dict[str, Any]:
    """The pod spec of a color."""
    return pod_of(dict(objects_of(settings)["Deployment"].body))


def main_of(settings: ColorSettings) -> dict[str, Any]:
    """The main container of a color."""
    name = manifest.main_container(settings)
    return next(container for container in derived(settings)["containers"] if container["name"] == name)


BOTH = [color(name=name) for name in COLORS]

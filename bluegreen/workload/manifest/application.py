"""Understands the snapshot of a color: which objects make the application, what both colors share, and what cannot be two.

1. Every object has the shape that Kubernetes expects, and the namespace of the environment.
2. One Deployment is the application. Its selector, its containers and its volumes allow a second color beside it.
3. The Services that select its pods are shared, one of them is that of the users.
4. ConfigMaps and Secrets that its pods refer to, its autoscaler and its disruption budget belong to the color. Everything else
   is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluegreen.release.config_reader import Problem
from bluegreen.release.helm import HOOK, hooks, is_test
from bluegreen.release.image import Image
from bluegreen.release.objects import as_items, as_mapping, containers_of, value_at
from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot import Document, FieldPath, field_text
from bluegreen.workload.manifest.labels import matches
from bluegreen.workload.manifest.references import Reference, references
from bluegreen.workload.manifest.shapes import misshapen

TEMPLATE: FieldPath = ("spec", "template")
POD: FieldPath = (*TEMPLATE, "spec")

_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"

# The API groups of the kinds that belong to a color or are shared. A kind of this name in another group is somebody else's.
_GROUPS = {
    "Deployment": ("apps/v1",),
    "Service": ("v1",),
    "ConfigMap": ("v1",),
    "Secret": ("v1",),
    "PersistentVolumeClaim": ("v1",),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "autoscaling/v1"),
    "PodDisruptionBudget": ("policy/v1",),
}
# The longest value of a label.
_LONGEST_LABEL = 63

# https://kubernetes.io/docs/concepts/configuration/configmap/: a ConfigMap holds at most 1 MiB, and so does a Secret.
LARGEST_VALUES_BYTES = 2**20

_REFUSED = {"StatefulSet": "apps/", "DaemonSet": "apps/"}


@dataclass(frozen=True, kw_only=True)
class Pods:
    """A Deployment of the snapshot and what belongs to its pods alone. `main` is the position of its main container."""

    deployment: Document
    main: int
    why_main: str
    autoscaler: Document | None
    budget: Document | None

    @property
    def template(self) -> Mapping[str, Any]:
        return as_mapping(self.deployment.at(*TEMPLATE))

    @property
    def pod(self) -> Mapping[str, Any]:
        return as_mapping(self.template.get("spec"))

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of the pods as the team wrote them."""
        return labels_of_template(self.deployment)

    @property
    def own_labels(self) -> Mapping[str, str]:
        """The labels by which the team's Deployment selects its pods."""
        return as_mapping(self.deployment.at("spec", "selector", "matchLabels"))

    @property
    def main_container(self) -> Mapping[str, Any]:
        return as_items(self.pod["containers"])[self.main]

    @property
    def references(self) -> list[Reference]:
        return [*references(self.pod)]

    @property
    def documents(self) -> list[Document]:
        return [document for document in (self.deployment, self.autoscaler, self.budget) if document]


@dataclass(frozen=True, kw_only=True)
class Application:
    """What a snapshot is understood as.

    `web` are the pods that serve users, `workers` those that run only while their color is active. `services` begins with that
    of the users. `values` are the ConfigMaps and Secrets of the snapshot that the pods refer to, by kind and name.
    """

    web: Pods
    workers: tuple[Pods, ...]
    services: tuple[Document, ...]
    users_port: int
    values: Mapping[tuple[str, str], Document]
    left_out: tuple[Document, ...]

    @property
    def all_pods(self) -> tuple[Pods, ...]:
        return (self.web, *self.workers)

    @property
    def claims(self) -> Iterator[tuple[Pods, Document | None, FieldPath]]:
        """Each claim that pods mount: its object, None if it is not in the snapshot, and the path of what names it."""
        known = {document.name: document for document in self.left_out if is_kind(document, "PersistentVolumeClaim")}
        for pods in self.all_pods:
            for position, volume in enumerate(as_items(pods.pod.get("volumes"))):
                if name := value_at(volume, "persistentVolumeClaim", "claimName"):
                    yield pods, known.get(name), (*POD, "volumes", position, "persistentVolumeClaim", "claimName")


def labels_of_template(deployment: Document) -> Mapping[str, str]:
    return as_mapping(deployment.at(*TEMPLATE, "metadata", "labels"))


def problem(color: ColorSettings, document: Document, path: FieldPath, value: str, allowed: str, fix: str) -> Problem:
    """A problem of one field of the snapshot, with its file and line."""
    return Problem(
        f"{color.name}:manifest: {document.place(path)}: {document}: {field_text(path)}".rstrip(": "), value, allowed, fix
    )


class UnusableError(Exception):
    """Why nothing more can be understood."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def understand(color: ColorSettings) -> tuple[Application | None, list[Problem]]:
    """What the snapshot of `color` is understood as, and everything in it that cannot be released.

    Without an application there are problems. With problems there may be an application, as far as it is understood.
    """
    reader = _Reader(color)
    try:
        return reader.application(), reader.problems
    except UnusableError as error:
        return None, [*reader.problems, *error.problems]


class _Reader:
    """Understands one snapshot, and collects its problems."""

    def __init__(self, color: ColorSettings) -> None:
        assert color.snapshot
        self._color = color
        self._documents = color.snapshot.documents
        self.problems: list[Problem] = []

    def application(self) -> Application:
        self._check_shapes()
        documents = self._without_hooks()
        self._check_kinds(documents)
        self._check_namespaces(documents)
        deployments = [document for document in documents if is_kind(document, "Deployment")]
        deployment = self._deployment([document for document in deployments if document.name not in self._color.workers])
        web = self._pods(deployment, documents)
        workers = tuple(self._pods(worker, documents) for worker in self._workers(deployments))
        self._check_image(web)
        services = self._services(documents, web, workers)
        named = {(document.kind, document.name): document for document in documents if is_kind(document, "ConfigMap", "Secret")}
        used = {(reference.kind, reference.name) for pods in (web, *workers) for reference in pods.references}
        used |= {("ConfigMap", name) for name in self._color.config_map_refs}
        used |= {("Secret", name) for name in (*self._color.secret_refs, self._color.image_pull_secret)}
        values = {ref: document for ref, document in named.items() if ref in used and not _is_token(document)}
        kept = [*services, *values.values(), *(document for pods in (web, *workers) for document in pods.documents)]
        application = Application(
            web=web,
            workers=workers,
            services=tuple(services),
            users_port=self._users_port(services[0]),
            values=values,
            left_out=tuple(document for document in self._documents if not any(document is used for used in kept)),
        )
        self._check_claims(application)
        self._check_sizes(values.values())
        return application

    def _pods(self, deployment: Document, documents: Iterable[Document]) -> Pods:
        """A Deployment with its own autoscaler and disruption budget."""
        self._check_deployment(deployment)
        main, why = self._main_container(deployment)
        autoscalers = (found for found in documents if is_kind(found, "HorizontalPodAutoscaler") and _scales(found, deployment))
        budgets = (found for found in documents if is_kind(found, "PodDisruptionBudget") and _guards(found, deployment))
        return Pods(
            deployment=deployment, main=main, why_main=why, autoscaler=self._only(autoscalers), budget=self._only(budgets)
        )

    def _workers(self, deployments: Sequence[Document]) -> list[Document]:
        """The Deployments that `<color>:worker` names."""
        for name in self._color.workers:
            if name not in [deployment.name for deployment in deployments]:
                allowed = f"Deployments of {self._where()}: {', '.join(deployment.name for deployment in deployments)}"
                self.problems.append(Problem(f"{self._color.name}:worker", name, allowed, "Correct the name, or remove it."))
        workers = [deployment for deployment in deployments if deployment.name in self._color.workers]
        for worker in workers:
            if len(worker.name) > _LONGEST_LABEL:
                allowed = f"at most {_LONGEST_LABEL} characters: its pods have a label with this name"
                self._refuse(worker, ("metadata", "name"), worker.name, allowed, "Shorten it.")
        return workers

    def _refuse(self, document: Document, path: FieldPath, value: str, allowed: str, fix: str) -> None:
        self.problems.append(problem(self._color, document, path, value, allowed, fix))

    def _unusable(self, document: Document, path: FieldPath, value: str, allowed: str, fix: str) -> UnusableError:
        return UnusableError(problem(self._color, document, path, value, allowed, fix))

    def _check_shapes(self) -> None:
        found: dict[tuple[str, str, str, str], Document] = {}
        wrong = []
        for document in self._documents:
            for path, value, allowed, fix in misshapen(document.kind, document.object):
                wrong.append(problem(self._color, document, path, value, allowed, fix))
            group = str(document.object["apiVersion"]).rpartition("/")[0]
            identity = (group, document.kind, str(document.at("metadata", "namespace") or ""), document.name)
            if identity in found:
                allowed, fix = f"there once, and {found[identity].place()} has it too", "Remove one of the two."
                wrong.append(problem(self._color, document, (), "twice", allowed, fix))
            found[identity] = document
        if wrong:
            raise UnusableError(*wrong)

    def _without_hooks(self) -> list[Document]:
        """The objects that are no hooks of Helm. Tests of a chart are left out, other hooks are refused."""
        documents = []
        for document in self._documents:
            if not hooks(document.object):
                documents.append(document)
            elif not is_test(document.object):
                path = ("metadata", "annotations", HOOK)
                hook = document.at(*path)
                fix = f"Remove it, and write its command into {self._color.name}:migrate: it runs before the pods of the color."
                self._refuse(document, path, hook, "an object without hooks of Helm: nothing would run them", fix)
        return documents

    def _check_kinds(self, documents: Sequence[Document]) -> None:
        for document in documents:
            version = str(document.object["apiVersion"])
            if (group := _REFUSED.get(document.kind)) and version.startswith(group):
                fix = "Manage it elsewhere, and remove it from this manifest. bluegreen releases Deployments."
                allowed = "a Deployment: two colors of it cannot run beside each other"
                self._refuse(document, ("kind",), document.kind, allowed, fix)
            elif document.kind in ("Deployment", "PodDisruptionBudget") and not is_kind(document, document.kind):
                allowed = _GROUPS[document.kind][0]
                self._refuse(document, ("apiVersion",), version, allowed, "Write it for this API version.")

    def _check_namespaces(self, documents: Iterable[Document]) -> None:
        for document in documents:
            namespace = document.at("metadata", "namespace")
            if namespace and document.kind in _GROUPS and namespace != self._color.namespace:
                allowed = f"{self._color.namespace}, the namespace of the environment (bluegreen:namespace), or not set"
                fix = f"Remove it, or set the environment's: pulumi config set namespace {namespace}"
                self._refuse(document, ("metadata", "namespace"), namespace, allowed, fix)

    def _deployment(self, found: Sequence[Document]) -> Document:
        if not found and self._color.workers:
            allowed = "some of the Deployments, and it names all of them: users reach no worker"
            fix = f"Add the Deployment that serves users, or remove its name from {self._color.name}:worker."
            raise UnusableError(Problem(f"{self._color.name}:worker", ", ".join(self._color.workers), allowed, fix))
        if not found:
            first = self._documents[0]
            others = ", ".join(map(str, self._documents[:5]))
            fix = "Add the Deployment of the application. bluegreen releases nothing else."
            raise self._unusable(first, (), f"no Deployment among {others}", "a manifest with a Deployment", fix)
        named = [deployment for deployment in found if deployment.name == self._color.app]
        if len(found) > 1 and len(named) != 1:
            names = ", ".join(deployment.name for deployment in found)
            allowed = "one Deployment, or one with the name of the application" + (
                f", {self._color.app}" if self._color.app else ""
            )
            fix = f"Name the application like its Deployment (pulumi config set app {found[0].name}), and list workers in "
            fix += f"{self._color.name}:worker."
            raise self._unusable(found[1], (), f"{len(found)} Deployments: {names}", allowed, fix)
        main = named[0] if len(found) > 1 else found[0]
        for deployment in found:
            if deployment is not main:
                command = f"pulumi config set --path '{self._color.name}:worker[{len(self._color.workers)}]' {deployment.name}"
                fix = f"Deploy it on its own. If it is a worker: {command}"
                allowed = f"the only Deployment beside workers: both colors of {deployment.name} would run at once"
                self._refuse(deployment, (), "another Deployment", allowed, fix)
        return main

    def _check_deployment(self, deployment: Document) -> None:
        spec = as_mapping(deployment.object.get("spec"))
        containers = deployment.at(*POD, "containers")
        if not containers:
            raise self._unusable(deployment, POD, "no containers", "a pod with a container", "Add the application's container.")
        names: set[str] = set()
        for group in ("containers", "initContainers"):
            for position, container in enumerate(as_items(deployment.at(*POD, group))):
                path = (*POD, group, position)
                for field in ("name", "image"):
                    if not container.get(field):
                        raise self._unusable(deployment, path, f"no {field}", f"a container with {field}", f"Add {field}.")
                if container["name"] in names:
                    raise self._unusable(
                        deployment, path, container["name"], "a container with a name of its own", "Rename it."
                    )
                names.add(container["name"])
                self._check_ports(deployment, container, path)
        labels = labels_of_template(deployment)
        selector = as_mapping(spec.get("selector"))
        if not selector or not matches(selector, labels):
            fix = "Correct the selector or the labels of the template; Kubernetes rejects a Deployment that selects other pods."
            allowed = f"a selector of the labels in the template: {_pairs(labels)}"
            self._refuse(
                deployment, ("spec", "selector"), _pairs(as_mapping(selector.get("matchLabels"))) or "none", allowed, fix
            )
        if labels.get("color", "blue") not in ("blue", "green"):
            fix = "Give your label another name: color distinguishes the two colors of a release."
            path = (*TEMPLATE, "metadata", "labels", "color")
            self._refuse(deployment, path, labels["color"], "blue or green, or not set", fix)
        if as_mapping(deployment.at(*POD)).get("hostNetwork"):
            fix = "Remove it: a Service reaches the pods by their own addresses."
            self._refuse(deployment, (*POD, "hostNetwork"), "true", "not set: both colors would need the node's ports", fix)
        if spec.get("paused"):
            self._refuse(deployment, ("spec", "paused"), "true", "not set: no pod would ever start", "Remove it.")
        if spec.get("replicas") == 0 and "replicas" not in self._color.given:
            fix = f"Write at least 1, or: pulumi config set {self._color.name}:replicas 1"
            self._refuse(deployment, ("spec", "replicas"), "0", "at least 1: a color without pods is never ready", fix)

    def _check_ports(self, deployment: Document, container: Mapping[str, Any], path: FieldPath) -> None:
        for position, port in enumerate(as_items(container.get("ports"))):
            if port.get("hostPort"):
                fix = "Remove it, and let a Service or a load balancer lead to the pods."
                allowed = "not set: both colors would need this port of the node"
                self._refuse(deployment, (*path, "ports", position, "hostPort"), str(port["hostPort"]), allowed, fix)

    def _main_container(self, deployment: Document) -> tuple[int, str]:
        """The position of the application's container, and why it is that one."""
        containers = as_items(deployment.at(*POD, "containers"))
        names = [str(container["name"]) for container in containers]
        for owner in (TEMPLATE, ()):
            path = (*owner, "metadata", "annotations", _DEFAULT_CONTAINER)
            if named := deployment.at(*path):
                if named not in names:
                    allowed = f"one of the containers: {', '.join(names)}"
                    raise self._unusable(deployment, path, named, allowed, "Correct the name.")
                return names.index(named), f"the annotation {_DEFAULT_CONTAINER} names it"
        for name, why in ((self._color.app, "application"), (deployment.name, "Deployment")):
            if name in names:
                return names.index(name), f"it has the name of the {why}"
        return 0, "it is the only one" if len(names) == 1 else "it is the first one"

    def _check_image(self, web: Pods) -> None:
        path = (*POD, "containers", web.main, "image")
        image = web.main_container["image"]
        repository = self._color.repository
        if repository and not Image.parse(image).is_of(repository):
            fix = f"Correct one of them: pulumi config set image {Image.parse(image).repository}"
            self._refuse(web.deployment, path, image, f"an image of {repository}, as bluegreen:image says", fix)

    def _services(self, documents: Sequence[Document], web: Pods, workers: Sequence[Pods]) -> list[Document]:
        """The Services of the pods that serve users, that of the users first. Those of workers alone are left out."""
        deployment, labels = web.deployment, web.labels
        services = []
        for service in documents:
            selector = as_mapping(service.at("spec", "selector"))
            if not is_kind(service, "Service") or not selector:
                continue
            if matches({"matchLabels": selector}, labels):
                services.append(service)
            elif not any(matches({"matchLabels": selector}, worker.labels) for worker in workers):
                fix = f"Correct the selector, or remove Service {service.name} from this manifest."
                allowed = f"a selector of the pods of Deployment {deployment.name}: {_pairs(labels)}"
                self._refuse(service, ("spec", "selector"), _pairs(selector), allowed, fix)
        if not services:
            fix = "Add the Service of the application: without one, no request reaches its pods."
            raise self._unusable(deployment, (), "no Service selects its pods", "a manifest with a Service", fix)
        users = self._users_service(services)
        self._check_target_ports(services, deployment)
        return [users, *(service for service in services if service is not users)]

    def _users_service(self, services: Sequence[Document]) -> Document:
        named = self._color.users_service or (self._color.app if len(services) > 1 else services[0].name)
        found = [service for service in services if service.name == named]
        if found:
            return found[0]
        names = ", ".join(service.name for service in services)
        fix = f"Name the one that users reach: pulumi config set service {services[0].name}"
        raise UnusableError(
            Problem(
                "bluegreen:service",
                self._color.users_service or "(not set)",
                f"one of the Services of the pods in {self._where()}: {names}",
                fix,
            )
        )

    def _users_port(self, service: Document) -> int:
        found = as_items(service.at("spec", "ports"))
        ports = [port.get("port") for port in found]
        wanted = self._color.users_port
        if not ports or (wanted and wanted not in ports):
            allowed = f"a port of Service {service.name} ({service.place()}): {', '.join(map(str, ports)) or 'it has none'}"
            fix = f"Correct it: pulumi config set port {ports[0]}" if ports else "Add the port to the Service."
            self.problems.append(Problem("bluegreen:port", str(wanted or ""), allowed, fix))
        named = next((port.get("port") for port in found if port.get("name") == "http"), ports[0] if ports else None)
        return wanted or int(named or 0)

    def _check_target_ports(self, services: Iterable[Document], deployment: Document) -> None:
        names = port_names(as_mapping(deployment.at(*POD)))
        for service in services:
            for position, port in enumerate(as_items(service.at("spec", "ports"))):
                target = port.get("targetPort")
                if isinstance(target, str) and target not in names:
                    allowed = (
                        f"the name of a container port of Deployment {deployment.name}: {', '.join(sorted(names)) or 'none'}"
                    )
                    path = ("spec", "ports", position, "targetPort")
                    self._refuse(service, path, target, allowed, "Correct it, or name the container port.")

    def _check_sizes(self, documents: Iterable[Document]) -> None:
        """Refuses a ConfigMap or a Secret that the API server would refuse for its size."""
        for document in documents:
            sizes = {field: _bytes_of(document.at(field)) for field in ("data", "binaryData", "stringData")}
            if (size := sum(sizes.values())) > LARGEST_VALUES_BYTES:
                fix = "Leave large data out: a volume, an image or an object store can hold it."
                largest = max(sizes, key=lambda field: sizes[field])
                allowed = f"at most {LARGEST_VALUES_BYTES} bytes, the limit of Kubernetes"
                self._refuse(document, (largest,), f"{size} bytes", allowed, fix)

    def _check_claims(self, application: Application) -> None:
        """Refuses a claim that one node alone can mount, unless `shared-volume` is allowed."""
        for pods, claim, path in application.claims:
            modes = [*(claim.at("spec", "accessModes") or ["ReadWriteOnce"])] if claim else []
            if claim and "shared-volume" not in self._color.allow and not {"ReadWriteMany", "ReadOnlyMany"} & {*modes}:
                allowed = f"no claim that one node mounts alone ({', '.join(modes)}): both colors would mount it"
                fix = (
                    "Use ReadWriteMany, or a store outside the pods. If it works for you: add shared-volume to bluegreen:allow."
                )
                self._refuse(pods.deployment, path, claim.name, allowed, fix)

    def _only(self, found: Iterable[Document]) -> Document | None:
        documents = [*found]
        for document in documents[1:]:
            allowed = f"the only {document.kind} of the pods, and {documents[0].place()} has another"
            self._refuse(document, (), "a second one", allowed, "Remove one of the two.")
        return documents[0] if documents else None

    def _where(self) -> str:
        return self._color.snapshot.path if self._color.snapshot else ""


def is_kind(document: Document, *kinds: str) -> bool:
    """Whether an object is of one of these kinds of Kubernetes itself."""
    return document.kind in kinds and document.object["apiVersion"] in _GROUPS[document.kind]


def port_names(pod: Mapping[str, Any]) -> set[str]:
    """The names of the container ports of a pod."""
    return {
        str(port["name"]) for container in containers_of(pod) for port in as_items(container.get("ports")) if port.get("name")
    }


def _is_token(secret: Document) -> bool:
    """Whether the cluster fills a Secret: it belongs to a ServiceAccount and is shared like that."""
    return secret.object.get("type") == "kubernetes.io/service-account-token"


def _scales(autoscaler: Document, deployment: Document) -> bool:
    target = as_mapping(autoscaler.at("spec", "scaleTargetRef"))
    return (target.get("kind"), target.get("name")) == ("Deployment", deployment.name)


def _guards(budget: Document, deployment: Document) -> bool:
    selector = as_mapping(budget.at("spec", "selector"))
    return bool(selector) and matches(selector, labels_of_template(deployment))


def _pairs(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in labels.items())


def _bytes_of(values: object) -> int:
    """How many bytes the texts of a ConfigMap or a Secret have, in the encoding in which they are written."""
    return sum(len(str(value).encode()) for value in as_mapping(values).values())

"""Config keys that override a manifest. Only a key that the config sets overrides what the team wrote."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bluegreen.release import config_keys as keys
from bluegreen.release.colors import other
from bluegreen.release.config_keys import Key
from bluegreen.release.config_reader import Problem
from bluegreen.release.image import Image
from bluegreen.release.objects import as_items, as_mapping, as_number, containers_of, value_at
from bluegreen.release.settings import ColorSettings
from bluegreen.workload import settings as from_config
from bluegreen.workload.manifest.application import Application

# The settings that shape pods and have a default that means "as the team wrote it".
SHAPES_PODS = tuple(name for name in from_config.SHAPES_PODS if name not in ("port", "readiness_path"))


def is_given(color: ColorSettings, key: Key[Any]) -> bool:
    """Whether the config sets a key, for this color or for both."""
    return key.name in color.given


def completed(color: ColorSettings, application: Application) -> ColorSettings:
    """The settings with what the manifest says where the config says nothing."""
    scaled = as_mapping(value_at(application.web.autoscaler.object, "spec")) if application.web.autoscaler else {}
    wanted = as_mapping(application.web.deployment.object["spec"])
    found = as_number(scaled.get("minReplicas")) if scaled else as_number(wanted.get("replicas"))
    return replace(
        color,
        image=image(color, application),
        replicas=color.replicas if is_given(color, keys.REPLICAS) else 1 if found is None else found,
        max_replicas=color.max_replicas if is_given(color, keys.MAX_REPLICAS) else as_number(scaled.get("maxReplicas")) or 0,
    )


def problems(color: ColorSettings, application: Application) -> Iterator[Problem]:
    """Config keys that contradict the manifest."""
    complete = completed(color, application)
    if 0 < complete.max_replicas < complete.replicas:
        fix = "Raise it here or in the HorizontalPodAutoscaler, or set it to 0 for a fixed number of replicas."
        allowed = f"at least {complete.replicas}, the number of replicas"
        yield Problem(f"{color.name}:maxReplicas", str(complete.max_replicas), allowed, fix)
    if is_given(color, keys.READINESS_PATH) and not value_at(application.web.main_container, "readinessProbe", "httpGet"):
        container = application.web.main_container["name"]
        allowed = f"not set: container {container} ({application.web.deployment.place()}) has no readiness probe with httpGet"
        command = f"pulumi config set {other(color.name)}:readinessPath <path>"
        fix = f"Remove it, or add the probe. For the other color alone: {command}"
        yield Problem(f"{color.name}:readinessPath", color.readiness_path, allowed, fix)


def image(color: ColorSettings, application: Application) -> str:
    """The image of the main container: that of the manifest, with the tag or digest of the config."""
    return with_tag(color, str(application.web.main_container["image"]))


def with_tag(color: ColorSettings, written: str) -> str:
    """An image of the main container's repository, with the tag or digest of the config if there is one."""
    return str(Image.of(Image.parse(written).repository, color.image_tag)) if color.image_tag else written


def set_images(color: ColorSettings, application: Application, pod: Mapping[str, Any]) -> None:
    """Gives the configured tag to every container of the main container's repository.

    A sidecar or an init container of the same image must have the same version.
    """
    repository = Image.parse(str(application.web.main_container["image"])).repository
    for container in containers_of(pod):
        if Image.parse(str(container["image"])).is_of(repository):
            _write(container, image=with_tag(color, str(container["image"])))


def set_variables(color: ColorSettings, container: Mapping[str, Any]) -> None:
    """Adds the variables of the config to the container's own `env`, which wins over every `envFrom`."""
    # Kubernetes expands $(NAME) in a value, and reads $$ as $.
    variables: dict[str, Any] = {name: {"value": value.replace("$", "$$")} for name, value in color.env.items()}
    secret = from_config.secret_name(color) if color.secret_env else ""
    variables |= {name: {"valueFrom": {"secretKeyRef": {"name": secret, "key": name}}} for name in color.secret_env}
    written = [variable for variable in as_items(container.get("env")) if variable.get("name") not in variables]
    added = [{"name": name, **source} for name, source in variables.items()]
    sources = [{"configMapRef": {"name": name}} for name in color.config_map_refs]
    sources += [{"secretRef": {"name": name}} for name in color.secret_refs]
    if added:
        _write(container, env=[*written, *added])
    if sources:
        _write(container, envFrom=[*as_items(container.get("envFrom")), *sources])


def set_pod(color: ColorSettings, pod: Mapping[str, Any]) -> None:
    """The user, and credentials of the registry."""
    if color.run_as_user:
        _write(pod, securityContext={**as_mapping(pod.get("securityContext")), "runAsUser": color.run_as_user})
        for container in containers_of(pod):
            if "runAsUser" in as_mapping(container.get("securityContext")):
                _write(container["securityContext"], runAsUser=color.run_as_user)
    secrets = as_items(pod.get("imagePullSecrets"))
    if color.image_pull_secret and color.image_pull_secret not in [secret.get("name") for secret in secrets]:
        _write(pod, imagePullSecrets=[*secrets, {"name": color.image_pull_secret}])


def set_main_container(color: ColorSettings, main: Mapping[str, Any]) -> None:
    """Resources, and the path of the readiness probe."""
    if color.resources:
        _write(main, resources=dict(color.resources))
    if is_given(color, keys.READINESS_PATH):
        _write(main["readinessProbe"]["httpGet"], path=color.readiness_path)


def _write(item: Any, **fields: Any) -> None:
    """Sets fields of an object of the copy that is being derived."""
    item.update(fields)

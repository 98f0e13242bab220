"""The config of an environment: what is accepted, what is refused, and in which words."""

import functools
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluegreen.release import config_keys, config_reader
from bluegreen.release.colors import COLORS, other
from bluegreen.release.config_reader import Problem, SettingsError, read_place
from bluegreen.release.settings import Settings
from bluegreen.release.stack_file import Misread
from bluegreen.routing import LAYERS
from tests.unit.program import BOTH_COLORS, ONE_COLOR

read_settings = functools.partial(config_reader.read_settings, layers=LAYERS)


def problems(config: dict[str, str], **kwargs: object) -> list[Problem]:
    with pytest.raises(SettingsError) as refusal:
        read_settings(config, **kwargs)  # type: ignore[arg-type]
    return refusal.value.problems


def test_a_color_without_image_tag_is_not_deployed() -> None:
    assert set(read_settings(ONE_COLOR).service.colors) == {"blue"}
    assert set(read_settings(ONE_COLOR | {"green:imageTag": ""}).service.colors) == {"blue"}


@pytest.mark.parametrize(
    ("tag", "image"),
    [("1.10", "registry.example/shop:1.10"), ("sha256:" + "a" * 64, "registry.example/shop@sha256:" + "a" * 64)],
)
def test_a_tag_or_a_digest_makes_the_image_of_the_color(tag: str, image: str) -> None:
    assert read_settings(ONE_COLOR | {"blue:imageTag": tag}).service.colors["blue"].image == image


def test_the_value_of_a_color_wins_over_the_value_for_both() -> None:
    colors = read_settings(BOTH_COLORS | {"bluegreen:replicas": "2", "green:replicas": "3"}).service.colors
    assert (colors["blue"].replicas, colors["green"].replicas) == (2, 3)


def test_variables_for_both_colors_and_for_one_are_merged_by_name() -> None:
    config = BOTH_COLORS | {"bluegreen:env": '{"A": "1", "B": 2}', "green:env": '{"B": "3"}'}
    colors = read_settings(config).service.colors
    assert colors["blue"].env == {"A": "1", "B": "2"}
    assert colors["green"].env == {"A": "1", "B": "3"}


def test_every_error_is_reported_at_once_and_names_key_and_value() -> None:
    found = problems(
        ONE_COLOR | {"bluegreen:testColor": "blue", "bluegreen:routing": "dns", "blue:replicas": "0", "green:port": "http"}
    )
    assert {problem.key: problem.value for problem in found} == {
        "bluegreen:testColor": "blue",
        "bluegreen:routing": "dns",
        "blue:replicas": "0",
        "green:port": "http",
    }
    assert all(problem.allowed and problem.fix for problem in found)


REFUSED = {
    "an app name in capitals": ("bluegreen:app", "Shop"),
    "an app name that starts with a digit": ("bluegreen:app", "1shop"),
    "an app name too long for <app>-blue-green": ("bluegreen:app", "a" * 53),
    "a namespace with a dot": ("bluegreen:namespace", "a.b"),
    "an unknown active color": ("bluegreen:activeColor", "red"),
    "an unknown test color": ("bluegreen:testColor", "red"),
    "a test color that is the active color": ("bluegreen:testColor", "blue"),
    "a test color that is not deployed": ("bluegreen:testColor", "green"),
    "an unknown routing": ("bluegreen:routing", "nginx"),
    "a cookie without value": ("bluegreen:testCookie", "test"),
    "a cookie that would end the cookie": ("bluegreen:testCookie", "test=a;b"),
    "a host with a path": ("bluegreen:host", "shop.example/cart"),
    "an address without scheme": ("bluegreen:url", "shop.example"),
    "an image with a tag": ("bluegreen:image", "registry.example:5000/shop:1.0"),
    "an image with a digest": ("bluegreen:image", "shop@sha256:" + "a" * 64),
    "an image in capitals": ("bluegreen:image", "Shop"),
    "a tag with a slash": ("blue:imageTag", "1.0/2"),
    "a short digest": ("blue:imageTag", "sha256:abc"),
    "no replicas": ("blue:replicas", "0"),
    "replicas that are no number": ("blue:replicas", "two"),
    "a maximum below the replicas": ("blue:maxReplicas", "-1"),
    "an unknown strategy": ("blue:strategy", "Canary"),
    "a port out of range": ("blue:port", "65536"),
    "a relative readiness path": ("blue:readinessPath", "ready"),
    "a timeout of zero": ("blue:readyTimeoutSeconds", "0"),
    "a patience of more than an hour": ("blue:failFastSeconds", "3601"),
    "variables that are a list": ("blue:env", "[]"),
    "a variable with a space": ("blue:env", '{"A B": "1"}'),
    "a variable that YAML made a fraction": ("blue:env", '{"VERSION": 1.1}'),
    "a variable that YAML made a boolean": ("blue:env", '{"DEBUG": true}'),
    "a variable that YAML made nothing": ("blue:env", '{"DEBUG": null}'),
    "a variable that is a list": ("blue:env", '{"HOSTS": ["a"]}'),
    "a variable with a NUL character": ("blue:env", '{"A": "b\\u0000c"}'),
    "a variable with half of a surrogate pair": ("blue:env", '{"A": "\\ud800"}'),
    "a variable that the program sets": ("blue:env", '{"COLOR": "red"}'),
    "a variable that no process can get": ("blue:env", json.dumps({"A": "b" * 131_072})),
    "variables that no ConfigMap can hold": ("blue:env", json.dumps({f"A{n}": "b" * 100_000 for n in range(11)})),
    "a variable with the name of a directory": ("blue:env", '{"..": "a"}'),
    "a list of names that is none": ("blue:secretRefs", "database"),
    "a name that no Secret can have": ("blue:secretRefs", '["Database"]'),
    "a Secret twice": ("bluegreen:secretRefs", '["database", "database"]'),
    "a ConfigMap that is a number": ("blue:configMapRefs", "[5]"),
    "a command with an object in it": ("blue:migrate", '["migrate", {"steps": 5}]'),
    "a command that is an object": ("blue:migrate", '{"migrate": "all"}'),
    "a command of spaces": ("blue:migrate", "  "),
    "a command without a program": ("blue:migrate", '["", "all"]'),
    "a command with a quote that does not end": ("blue:migrate", "migrate 'all"),
    "a host with a part of 64 letters": ("bluegreen:host", f"{'a' * 64}.example"),
    "a host that ends with a number": ("bluegreen:host", "shop.1"),
    "a request above its limit": ("blue:resources", '{"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}'),
    "a request of nothing known": ("blue:resources", '{"requests": {"CPU": "1"}}'),
    "a device that may be shared": ("blue:resources", '{"requests": {"nvidia.com/gpu": "1"}}'),
    "resources of another kind": ("blue:resources", '{"request": {"cpu": "1"}}'),
    "an amount that is none": ("blue:resources", '{"requests": {"cpu": "much"}}'),
    "a misspelled key": ("bluegreen:activeColour", "blue"),
    "an image tag for both colors": ("bluegreen:imageTag", "1.0"),
    "a role in the namespace of a color": ("blue:activeColor", "blue"),
    "a third color": ("red:imageTag", "1.0"),
}


@pytest.mark.parametrize(("key", "value"), REFUSED.values(), ids=REFUSED)
def test_refused(key: str, value: str) -> None:
    found = problems(ONE_COLOR | {key: value})
    assert any(problem.key.startswith(key) for problem in found)


@pytest.mark.parametrize("key", ["bluegreen:activeColor", "bluegreen:image"])
def test_what_has_no_sensible_default_is_required(key: str) -> None:
    missing = {each: value for each, value in ONE_COLOR.items() if each != key}
    assert key in {problem.key for problem in problems(missing)}
    assert key in {problem.key for problem in problems(missing | {key: ""})}


def test_an_active_color_that_is_not_deployed_is_refused_with_the_way_out() -> None:
    (problem,) = problems(ONE_COLOR | {"bluegreen:activeColor": "green"})
    assert problem.key == "bluegreen:activeColor"
    assert "pulumi config set green:imageTag" in problem.fix


def test_a_misspelled_key_is_answered_with_the_one_that_was_meant() -> None:
    (problem,) = problems(ONE_COLOR | {"green:imagetag": "2.0"})
    assert "green:imageTag" in problem.fix


def test_everything_wrong_with_the_variables_is_told_by_its_path() -> None:
    env = {"A B": "1", "DEBUG": True, "VERSION": 1.1, "GOOD": "yes", "NUMBER": 5432}
    found = problems(ONE_COLOR | {"blue:env": json.dumps(env)})
    assert [problem.key for problem in found] == ["blue:env.A B", "blue:env.DEBUG", "blue:env.VERSION"]
    assert 'Write it in quotes: DEBUG: "true"' in str(found[1])


def test_existing_objects_of_both_colors_come_before_those_of_one() -> None:
    config = BOTH_COLORS | {
        "bluegreen:secretRefs": '["vault"]',
        "green:secretRefs": '["mail"]',
        "green:configMapRefs": '["flags"]',
    }
    colors = read_settings(config).service.colors
    assert (colors["blue"].secret_refs, colors["blue"].config_map_refs) == (("vault",), ())
    assert (colors["green"].secret_refs, colors["green"].config_map_refs) == (("vault", "mail"), ("flags",))


def test_an_existing_object_for_both_colors_and_for_one_is_refused() -> None:
    config = BOTH_COLORS | {"bluegreen:secretRefs": '["vault"]', "green:secretRefs": '["vault"]'}
    assert [(problem.key, problem.value) for problem in problems(config)] == [("green:secretRefs", "vault")]


def test_one_port_of_the_nodes_for_users_and_testers_is_refused() -> None:
    config = BOTH_COLORS | {"bluegreen:routing": "selector", "bluegreen:nodePort": "30080", "bluegreen:testNodePort": "30080"}
    assert [problem.key for problem in problems(config)] == ["bluegreen:testNodePort"]


@pytest.mark.parametrize(
    "amounts",
    [
        '{"requests": {"cpu": 1}}',
        '{"limits": {"memory": "1e3", "cpu": ".5"}}',
        '{"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}}',
    ],
)
def test_amounts_that_kubernetes_takes_are_taken(amounts: str) -> None:
    assert read_settings(ONE_COLOR | {"blue:resources": amounts})


def test_a_number_in_a_command_is_taken_as_its_digits() -> None:
    config = ONE_COLOR | {"blue:migrate": '["migrate", "--steps", 5]'}
    assert read_settings(config).service.colors["blue"].migrate == ("migrate", "--steps", "5")


def test_a_variable_in_both_env_and_secret_env_is_refused() -> None:
    config = ONE_COLOR | {"blue:env": '{"DB_USER": "a"}', "bluegreen:secretEnv": '{"DB_USER": "b"}'}
    assert [problem.value for problem in problems(config)] == ["DB_USER"]


def test_keys_of_other_packages_are_left_alone() -> None:
    assert read_settings(ONE_COLOR | {"aws:region": "eu-west-1"}) == read_settings(ONE_COLOR)


@pytest.mark.parametrize("value", ["hunter2", '{"PIN": "hunter2\\u0000"}', '{"hunter2": 1}', '{"PIN": 1.5}', '{"PIN": true}'])
def test_a_value_of_secret_env_is_never_shown(value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        read_settings(ONE_COLOR | {"blue:secretEnv": value, "bluegreen:routing": "dns"})
    shown = str(refusal.value).replace("blue:secretEnv.hunter2", "")
    assert [part for part in ("hunter2", "1.5", "true") if part in shown] == []


def test_secret_variables_are_not_in_the_representation_of_the_settings() -> None:
    assert "hunter2" not in repr(read_settings(ONE_COLOR | {"blue:secretEnv": '{"DB_PASSWORD": "hunter2"}'}))


def test_the_other_color_of_each_is_the_other() -> None:
    assert {color: other(color) for color in COLORS} == {"blue": "green", "green": "blue"}


KEYS = [
    *(f"bluegreen:{key.name}" for key in (*config_keys.ENVIRONMENT, *config_keys.COLOR)),
    *(f"{color}:{key.name}" for color in COLORS for key in (*config_keys.COLOR, *config_keys.ONE_COLOR)),
]
SHAPES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["100m", "64Mi", "1e3", "cpu"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.text(max_size=8), st.sampled_from(["requests", "limits", "cpu", "COLOR", "..", "A"])),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)
TEXTS = st.one_of(
    st.sampled_from(["", "blue", "green", "1.0", "sha256:" + "0" * 64, "3000", "istio", "selector", "a.example", "{}", "[]"]),
    st.text(st.characters(codec=None), max_size=80),  # halves of surrogate pairs as well
    SHAPES.map(json.dumps),
    st.just('{"A": ' * 5000 + "1" + "}" * 5000),
)


@given(
    st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=30)), TEXTS, max_size=12),
    st.sets(st.sampled_from(KEYS), max_size=3),
    st.lists(
        st.builds(
            Misread, key=st.sampled_from(KEYS), path=st.text(max_size=8), file=st.text(), written=st.text(), read=st.text()
        )
    ),
)
def test_any_config_is_either_typed_or_refused_in_words(
    config: dict[str, str], secret: set[str], misread: list[Misread]
) -> None:
    found: list[Problem] = []
    try:
        assert_is_safe(read_settings(BOTH_COLORS | config, secret, misread))
    except SettingsError as refusal:
        found = refusal.problems
        assert str(refusal).encode()  # noqa: PT017 - most configs are refused, and it must be possible to show why
    assert all(problem.key and problem.allowed and problem.fix for problem in found)


@pytest.mark.parametrize("key", [key for key in KEYS if not key.endswith((":secretEnv", ":secretData"))])
def test_a_secret_in_any_key_but_secret_env_is_refused_with_the_way(key: str) -> None:
    valid = {"image": "shop", "activeColor": "blue", "env": '{"A": "hunter2"}', "resources": '{"limits": {"cpu": "1"}}'}
    config = BOTH_COLORS | {key: valid.get(key.partition(":")[2], "hunter2")}
    found = [problem for problem in problems(config, secret_keys=[key]) if problem.key == key]
    assert [problem.value for problem in found] == ["[secret]"]
    assert f"pulumi config set --secret --path '{key.partition(':')[0]}:secretEnv.<NAME>'" in found[0].fix
    assert "hunter2" not in str(found[0])


@given(st.sampled_from(KEYS), TEXTS)
def test_whatever_a_secret_is_it_is_in_no_message(key: str, value: str) -> None:
    secret = json.dumps({"A": f"hunter2{value}"}) if value.startswith("{") else f"hunter2{value}"
    said = ""
    try:
        read_settings(BOTH_COLORS | {key: secret}, secret_keys=[key])
    except SettingsError as refusal:
        said = str(refusal)
    assert "hunter2" not in said
    assert said or key.endswith((":secretEnv", ":secretData"))


PLACE = ["bluegreen:app", "bluegreen:namespace", "bluegreen:context", "bluegreen:routing"]


@given(
    st.dictionaries(st.sampled_from([key for key in KEYS if key not in PLACE]), TEXTS, max_size=8),
    st.sets(st.sampled_from(KEYS)),
)
def test_where_an_environment_is_can_be_read_whatever_else_is_wrong(config: dict[str, str], secret: set[str]) -> None:
    place = {
        "bluegreen:app": "shop",
        "bluegreen:namespace": "prod",
        "bluegreen:context": "east",
        "bluegreen:routing": "selector",
    }
    misread = [Misread(key=key, path="", file="", written="0022", read="the number 18") for key in secret - {*PLACE}]
    found = read_place(place | config, secret - {*PLACE}, misread)
    assert (found.service.name, found.namespace, found.context, found.routing) == ("shop", "prod", "east", "selector")
    assert set(found.service.colors) == {
        color for color in COLORS if config.get(f"{color}:imageTag") or config.get(f"{color}:manifest")
    }


@pytest.mark.parametrize("key", PLACE)
def test_a_place_that_cannot_be_read_is_refused_and_never_the_default(key: str) -> None:
    misread = Misread(key=key, path="", file="Pulumi.prod.yaml", written="0022", read="the number 18")
    for secret, changed in (([key], []), ([], [misread])):
        with pytest.raises(SettingsError, match=key):
            read_place({key: "istio"}, secret, changed)
    with pytest.raises(SettingsError, match=key):
        read_place({key: " "})


def test_a_secret_of_another_package_is_left_alone() -> None:
    assert read_settings(ONE_COLOR | {"aws:secretKey": "hunter2"}, secret_keys=["aws:secretKey"]) == read_settings(ONE_COLOR)


def assert_is_safe(settings: Settings) -> None:
    colors = settings.service.colors
    assert settings.active_color in colors
    assert settings.test_color in ("", *(set(colors) - {settings.active_color}))
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", f"{settings.service.name}-blue-green")
    assert all(color.replicas >= 1 for color in colors.values())


MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
"""
FROM_MANIFEST = {"bluegreen:app": "shop", "bluegreen:activeColor": "blue", "blue:manifest": "k8s/web.yaml"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s" / "web.yaml").write_text(MANIFEST)
    return tmp_path


def test_a_color_with_a_manifest_is_deployed_and_needs_no_image(project: Path) -> None:
    [color] = read_settings(FROM_MANIFEST, project=project).service.colors.values()
    assert color.snapshot is not None
    assert [str(document) for document in color.snapshot.documents] == ["Deployment web"]


def test_a_color_without_a_manifest_needs_an_image(project: Path) -> None:
    config = {**FROM_MANIFEST, "green:imageTag": "1.0"}
    assert [problem.key for problem in problems(config, project=project)] == ["bluegreen:image"]


def test_a_manifest_that_cannot_be_read_is_refused_with_file_and_line(project: Path) -> None:
    (project / "k8s" / "web.yaml").write_text("kind: Deployment\nkind: Deployment\n")
    assert [problem.key for problem in problems(FROM_MANIFEST, project=project)] == ["k8s/web.yaml:2: kind"]


def test_what_only_pulumi_yaml_lists_overrides_no_manifest(project: Path) -> None:
    config = FROM_MANIFEST | {"bluegreen:image": "sample", "bluegreen:replicas": "1", "bluegreen:port": "3000"}
    config |= {"bluegreen:drainSeconds": "9", "blue:strategy": "RollingUpdate", "blue:imageTag": "2.0"}
    listed = [key for key in config if key.startswith("bluegreen:")]
    [color] = read_settings(config, project=project, defaults=listed).service.colors.values()
    assert (color.repository, color.users_port) == ("", 0)
    assert color.given == {"drainSeconds", "strategy", "imageTag", "manifest"}
    [color] = read_settings(config, project=project).service.colors.values()
    assert (color.repository, color.users_port) == ("sample", 3000)
    assert color.given == {"drainSeconds", "strategy", "imageTag", "manifest", "replicas", "port"}


def test_the_values_of_secrets_are_read_by_secret_and_key_and_never_shown(project: Path) -> None:
    config = FROM_MANIFEST | {"blue:secretData": '{"database": {"PASSWORD": "hunter2", "PIN": 12}}'}
    [color] = read_settings(config, ["blue:secretData"], project=project).service.colors.values()
    assert color.secret_data == {"database": {"PASSWORD": "hunter2", "PIN": "12"}}
    assert "hunter2" not in repr(color)


@pytest.mark.parametrize(
    "value", ["hunter2", '["hunter2"]', '{"database": "hunter2"}', '{"database": {"PASSWORD": ["hunter2"]}}']
)
def test_values_of_secrets_of_another_shape_are_refused_without_them(project: Path, value: str) -> None:
    [problem] = problems(FROM_MANIFEST | {"blue:secretData": value}, secret_keys=["blue:secretData"], project=project)
    assert problem.key.startswith("blue:secretData")
    assert "hunter2" not in str(problem)


def test_in_an_emergency_a_manifest_that_cannot_be_read_is_one_without_objects(project: Path) -> None:
    config = FROM_MANIFEST | {"green:manifest": "k8s/gone.yaml", "bluegreen:service": "web", "bluegreen:port": "x"}
    colors = read_place(config, project=project).service.colors
    assert {name: color.snapshot and len(color.snapshot.documents) for name, color in colors.items()} == {"blue": 1, "green": 0}
    assert {color.users_service for color in colors.values()} == {"web"}


def test_workers_are_named_by_color_and_need_its_manifest(project: Path) -> None:
    settings = read_settings(FROM_MANIFEST | {"blue:worker": '["jobs"]'}, project=project)
    assert (settings.service.colors["blue"].workers, settings.stops_workers_first) == (("jobs",), True)
    assert not read_settings(FROM_MANIFEST | {"bluegreen:workerOrder": "start-first"}, project=project).stops_workers_first
    [problem] = problems(BOTH_COLORS | {"green:worker": '["jobs"]'})
    assert (problem.key, problem.value) == ("green:worker", '["jobs"]')


def test_workers_are_known_in_an_emergency(project: Path) -> None:
    config = FROM_MANIFEST | {"blue:worker": '["jobs"]', "bluegreen:workerOrder": "?"}
    assert read_place(config, project=project).service.colors["blue"].workers == ("jobs",)

"""Every config key has an effect: another value changes what the program registers, or is read by the gate or the command."""

import re
from typing import Any

import pytest

from bluegreen.release.config_keys import COLOR, ENVIRONMENT, ONE_COLOR, Key
from tests.unit.program import BOTH_COLORS, ROOT, Run, run

BASE = BOTH_COLORS | {"green:migrate": "migrate", "green:env": '{"A": "1"}'}

# What a key needs in order to be valid, or to have an effect.
NEEDED = {
    "activeColor": {"bluegreen:testColor": ""},
    "verify": {"bluegreen:url": "https://shop.example"},
    "nodePort": {"bluegreen:routing": "selector"},
    "testNodePort": {"bluegreen:routing": "selector"},
    "adopt": {"bluegreen:testColor": "", "green:imageTag": ""},
}

# Another valid value of each key. A new key needs one here.
OTHER_VALUES = {
    "activeColor": "green",
    "testColor": "",
    "app": "store",
    "image": "registry.example/store",
    "namespace": "prod",
    "context": "east",
    "routing": "selector",
    "workload": "tests.workload_with_sidecar",
    "testCookie": "preview=on",
    "host": "shop.example",
    "tlsSecret": "shop-tls",
    "url": "https://shop.example",
    "expect": "1.0",
    "allow": '["unready"]',
    "protect": "true",
    "verify": "true",
    "nodePort": "30080",
    "testNodePort": "30081",
    "adopt": '{"deployment": "shop", "services": {"shop": {"app": "shop"}}, "step": "beside"}',
    "replicas": "2",
    "maxReplicas": "3",
    "strategy": "Recreate",
    "port": "8080",
    "readinessPath": "/health",
    "readyTimeoutSeconds": "60",
    "failFastSeconds": "10",
    "drainSeconds": "6",
    "shutdownSeconds": "31",
    "migrate": "migrate all",
    "migrateTimeoutSeconds": "60",
    "configMapRefs": '["flags"]',
    "secretRefs": '["database"]',
    "imagePullSecret": "registry",
    "runAsUser": "1000",
    "env": '{"A": "2"}',
    "secretEnv": '{"PASSWORD": "secret"}',
    "resources": '{"limits": {"cpu": "1"}}',
    "imageTag": "3.0",
    "release": "v3.0-green",
}

# Keys that change nothing that is registered: the gate or the command reads them.
READ_BY_GATE_OR_COMMAND = ("expect", "allow", "verify", "readyTimeoutSeconds", "failFastSeconds")

# They need a manifest: tests/unit/components/test_manifest.py and test_workers.py.
OF_MANIFESTS = ("service", "manifest", "secretData", "worker", "workerOrder")

KEYS = [*((key, "bluegreen") for key in ENVIRONMENT), *((key, "green") for key in (*COLOR, *ONE_COLOR))]
KEYS = [(key, namespace) for key, namespace in KEYS if key.name not in OF_MANIFESTS]


def registered(ran: Run) -> dict[str, Any]:
    """Every resource with its inputs and its protection, and the outputs of the stack."""
    resources = {name: (resource.inputs, resource.request.protect) for name, resource in ran.resources.items()}
    return {**resources, "outputs": ran.outputs}


@pytest.mark.parametrize(("key", "namespace"), KEYS, ids=[f"{namespace}:{key.name}" for key, namespace in KEYS])
def test_another_value_of_a_key_has_an_effect(key: Key[Any], namespace: str) -> None:
    base = BASE | NEEDED.get(key.name, {})
    changed = base | {f"{namespace}:{key.name}": OTHER_VALUES[key.name]}
    has_effect = registered(run(base)) != registered(run(changed))
    assert has_effect != (key.name in READ_BY_GATE_OR_COMMAND)


@pytest.mark.parametrize("name", READ_BY_GATE_OR_COMMAND)
def test_a_key_without_an_effect_on_resources_is_read_by_the_gate_or_the_command(name: str) -> None:
    field = re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)
    files = [*(ROOT / "bluegreen" / "gate").glob("*.py"), *(ROOT / "bluegreen" / "cli").glob("*.py")]
    files += [ROOT / "bluegreen" / "release" / "transition.py"]  # the rules that the gate applies
    assert any(re.search(rf"\.{field}\b", file.read_text(encoding="utf-8")) for file in files)

"""What the sandbox is built from: each tool, the pins it comes from, and the cache that keeps it.

A tool is a folder of the cache whose name ends in a hash of everything it is made from (pins, sources, flags, Go), so
a changed pin is a new folder and an unchanged one is never built again, whichever clone asks. A folder appears whole or
not at all; an interrupted build goes on from what is done.
"""

import hashlib
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from dev.sandbox.errors import SandboxError
from dev.sandbox.go import BUILD_ENVIRONMENT, Go, find
from dev.sandbox.progress import Progress

CHECKOUT = Path(__file__).resolve().parents[2]


def pinned(tool: str, module: str, checkout: Path = CHECKOUT) -> str:
    """The version of a Go module in the go.mod of a tool, without its `v`: the only place that has it."""
    text = (checkout / "dev" / "tools" / tool / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", text, re.MULTILINE)
    if not found:
        raise SandboxError(f"dev/tools/{tool}/go.mod does not pin {module}.")
    return found[1]


PULUMI_VERSION = pinned("pulumi", "github.com/pulumi/pulumi/pkg/v3")
PROVIDER_VERSION = pinned("pulumi-resource-kubernetes", "github.com/pulumi/pulumi-kubernetes/sdk/v4")
KUBERNETES_VERSION = pinned("kubernetes", "k8s.io/kubernetes")

# For every tool, so that they share packages. Istio's own releases are built without Envoy's validators, too.
TAGS = ("disable_pgv",)

KEEP_UNUSED_SECONDS = 30 * 24 * 3600

_KUBERNETES = "k8s.io/kubernetes/cmd"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
_PROVIDER = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_PROVIDER_SDK = "github.com/pulumi/pulumi-kubernetes/sdk/v4"


@dataclass(frozen=True)
class ModuleFile:
    """Files of a pinned Go module that a tool needs: `pattern` inside `module`, put into the folder `into`."""

    module: str
    pattern: str
    into: str = "."


@dataclass(frozen=True, kw_only=True)
class Tool:
    """Commands built together from the pins of one folder of the checkout."""

    name: str
    source: str
    """The folder with go.mod and go.sum, relative to the checkout."""
    commands: dict[str, str]
    """The package of each command, by the command's file name."""
    usual_seconds: int
    """What a build from nothing took on two cores."""
    values: dict[str, str] = field(default_factory=dict)
    """Variables the linker sets, by their full name."""
    tags: tuple[str, ...] = ()
    embeds: tuple[ModuleFile, ...] = ()
    """Files the tool's own main embeds: they are put beside it before the build."""
    replaced: dict[str, str] = field(default_factory=dict)
    """The folder beside the main from which each of these modules is built: files of ours, and those that `embeds` adds."""
    files: tuple[ModuleFile, ...] = ()
    """Files that go into the tool's folder beside its commands."""


PROVIDER = Tool(
    name="pulumi-resource-kubernetes",
    source="dev/tools/pulumi-resource-kubernetes",
    commands={"pulumi-resource-kubernetes": "."},
    usual_seconds=60,
    values={f"{_PROVIDER}/pkg/version.Version": PROVIDER_VERSION},
    embeds=(
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/schema.json"),
        ModuleFile(_PROVIDER, "cmd/pulumi-resource-kubernetes/terraform-mapping.json"),
        # All that the provider needs of it, without yaml/v2/kinds.go: that file imports the Go types of every kind, which take
        # longer to compile than the provider. The file of the same name in dev/tools takes its place.
        ModuleFile(_PROVIDER_SDK, "go.mod", "sdk"),
        ModuleFile(_PROVIDER_SDK, "go/kubernetes/*.go", "sdk/go/kubernetes"),
        ModuleFile(_PROVIDER_SDK, "go/kubernetes/utilities/*.go", "sdk/go/kubernetes/utilities"),
        ModuleFile(_PROVIDER_SDK, "go/kubernetes/helm/v4/*.go", "sdk/go/kubernetes/helm/v4"),
        ModuleFile(_PROVIDER_SDK, "go/kubernetes/yaml/v2/config*.go", "sdk/go/kubernetes/yaml/v2"),
        ModuleFile(_PROVIDER_SDK, "go/kubernetes/yaml/v2/init.go", "sdk/go/kubernetes/yaml/v2"),
    ),
    replaced={_PROVIDER_SDK: "sdk"},
)
KUBERNETES = Tool(
    name="kubernetes",
    source="dev/tools/kubernetes",
    commands={
        name: f"{_KUBERNETES}/{name}"
        for name in ("kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet")
    },
    usual_seconds=210,
    values={
        "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES_VERSION}",
        "k8s.io/component-base/version.gitMajor": KUBERNETES_VERSION.split(".")[0],
        "k8s.io/component-base/version.gitMinor": KUBERNETES_VERSION.split(".")[1],
    },
)
ISTIO = Tool(
    name="istio",
    source="dev/tools/istio",
    commands={"pilot-discovery": "istio.io/istio/pilot/cmd/pilot-discovery"},
    usual_seconds=150,
    files=(
        ModuleFile("istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml", "crds/istio"),
        ModuleFile("sigs.k8s.io/gateway-api", "config/crd/standard/*_*.yaml", "crds/gateway-api"),
    ),
)
PULUMI = Tool(
    name="pulumi",
    source="dev/tools/pulumi",
    commands={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
    usual_seconds=130,
    values={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI_VERSION}"},
    files=(ModuleFile("github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec"),),
)
LANGUAGE_HOST = Tool(
    name="pulumi-language-python",
    source="dev/tools/pulumi-language-python",
    commands={"pulumi-language-python": "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"},
    usual_seconds=15,
    values={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": f"v{PULUMI_VERSION}"},
)
NODE = Tool(
    name="node",
    source="dev/tools/node",
    commands={
        "containerd": f"{_CONTAINERD}/containerd",
        "containerd-shim-runc-v2": f"{_CONTAINERD}/containerd-shim-runc-v2",
        "ctr": f"{_CONTAINERD}/ctr",
        "bridge": f"{_CNI}/main/bridge",
        "loopback": f"{_CNI}/main/loopback",
        "tuning": f"{_CNI}/meta/tuning",
        "host-local": f"{_CNI}/ipam/host-local",
    },
    usual_seconds=42,
    tags=("no_btrfs", "no_devmapper", "no_zfs"),
)
ETCD = Tool(name="etcd", source="dev/tools/etcd", commands={"etcd": "go.etcd.io/etcd/server/v3"}, usual_seconds=18)
VEGETA = Tool(name="vegeta", source="dev/tools/vegeta", commands={"vegeta": "github.com/tsenart/vegeta/v12"}, usual_seconds=5)
# Not part of the sandbox: built when a test needs them.
ACTIONLINT = Tool(
    name="actionlint",
    source="dev/tools/actionlint",
    commands={"actionlint": "github.com/rhysd/actionlint/cmd/actionlint"},
    usual_seconds=5,
)
HELM = Tool(
    name="helm",
    source="dev/tools/helm",
    commands={"helm": "helm.sh/helm/v4/cmd/helm"},
    usual_seconds=120,
    values={"helm.sh/helm/v4/internal/version.version": f"v{pinned('helm', 'helm.sh/helm/v4')}"},
)
PROTOCOLS = Tool(name="protocols", source="dev/tools/protocols", commands={"protocols": "."}, usual_seconds=5)
PAUSE = Tool(name="pause", source="dev/tools/pause", commands={"pause": "."}, usual_seconds=1)
APP = Tool(name="app", source="examples/app", commands={"app": "."}, usual_seconds=5)
# Not part of the cluster: built when somebody wants that example.
NOTES = Tool(name="notes", source="examples/notes", commands={"notes": "."}, usual_seconds=5)

PULUMI_TOOLS = (PROVIDER, PULUMI, LANGUAGE_HOST)
CLUSTER = (KUBERNETES, ISTIO, NODE, ETCD, PAUSE, APP)
# On PATH for the demo and the tests; no process of the cluster runs it.
BESIDE = (VEGETA,)


def cache_directory() -> Path:
    """Where built tools are kept: `BLUEGREEN_CACHE`, or `pulumi-blue-green` in the user's cache directory."""
    if own := os.environ.get("BLUEGREEN_CACHE"):
        return Path(own).expanduser().absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "pulumi-blue-green"


def cache_key(tool: Tool, go_version: str, checkout: Path = CHECKOUT) -> str:
    """A hash of everything that `tool` is made from: its pins and sources, how it is built, and by which Go."""
    digest = hashlib.sha256()
    for path in _sources(checkout / tool.source):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\0".encode())
    recipe = (
        tool.commands,
        tool.values,
        (*TAGS, *tool.tags),
        tool.embeds,
        tool.replaced,
        tool.files,
        BUILD_ENVIRONMENT,
        go_version,
    )
    digest.update(repr(recipe).encode())
    return digest.hexdigest()[:16]


def _sources(folder: Path) -> list[Path]:
    sources = [path for path in folder.glob("*.go") if not path.name.endswith("_test.go")]
    return sorted([*sources, *folder.glob("*/**/*.go"), *folder.glob("go.mod"), *folder.glob("go.sum")])


def folder_of(tool: Tool, go: Go, cache: Path) -> Path:
    """The folder of the cache that holds `tool`, or would if it were built."""
    return cache / f"{tool.name}-{cache_key(tool, go.version)}"


def build(tools: tuple[Tool, ...], go: Go, cache: Path, progress: Progress) -> dict[str, Path]:
    """Build what of `tools` the cache lacks, one after the other; returns the folder of each by its name."""
    folders = {tool.name: folder_of(tool, go, cache) for tool in tools}
    missing = [tool for tool in tools if not folders[tool.name].exists()]
    with progress.plan({tool.name: tool.usual_seconds for tool in missing}):
        for tool in missing:
            with progress.step(tool.name):
                _build(tool, go, folders[tool.name])
                _forget_unused(tool, cache)
    for folder in folders.values():
        os.utime(folder)
    return folders


def build_on_demand(tool: Tool) -> Path:
    """The folder with the commands of `tool`, which is not part of the sandbox; built first when the cache lacks it.

    Raises SandboxError when the build fails.
    """
    cache = cache_directory()
    return build((tool,), find(cache), cache, Progress())[tool.name]


def _forget_unused(tool: Tool, cache: Path) -> None:
    """Delete builds of `tool`, and what is left of interrupted ones, that nobody used for a month."""
    for folder in cache.glob(f"{tool.name}-{'[0-9a-f]' * 16}*"):
        if time.time() - folder.stat().st_mtime > KEEP_UNUSED_SECONDS:
            shutil.rmtree(folder)


def _build(tool: Tool, go: Go, folder: Path) -> None:
    work = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    sources, results = work / "sources", work / "results"
    sources.mkdir(parents=True)
    results.mkdir()
    for path in _sources(CHECKOUT / tool.source):
        copy = sources / path.relative_to(CHECKOUT / tool.source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    _copy_module_files(tool.embeds, go, sources, sources)
    for module, directory in tool.replaced.items():
        go.run(["mod", "edit", f"-replace={module}=./{directory}"], sources)
    go.run(_build_arguments(tool, results), sources)
    _copy_module_files(tool.files, go, sources, results)
    results.rename(folder)
    shutil.rmtree(work)


def _build_arguments(tool: Tool, results: Path) -> list[str]:
    values = [f"-X {name}={value}" for name, value in tool.values.items()]
    arguments = ["build", "-ldflags", " ".join(["-s -w", *values]), "-tags", ",".join((*TAGS, *tool.tags))]
    if len(tool.commands) == 1:
        [(name, package)] = tool.commands.items()
        return [*arguments, "-o", str(results / name), package]
    return [*arguments, "-o", f"{results}/", *tool.commands.values()]


def _copy_module_files(files: tuple[ModuleFile, ...], go: Go, sources: Path, target: Path) -> None:
    for file in files:
        go.run(["mod", "download", file.module], sources)
        module = Path(go.run(["list", "-m", "-f", "{{.Dir}}", file.module], sources).strip())
        found = sorted(module.glob(file.pattern))
        if not found:
            raise SandboxError(f"The Go module {file.module} holds no {file.pattern}: the pin in tools/ is of another layout.")
        (target / file.into).mkdir(parents=True, exist_ok=True)
        for path in found:
            # Not copy2: files of the module cache are read-only, and never executable.
            copy = shutil.copyfile(path, target / file.into / path.name)
            copy.chmod(0o755 if copy.suffix == "" else 0o644)

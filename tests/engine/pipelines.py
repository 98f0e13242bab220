"""Runs the shell steps of a CI service's files as the service does, with a checkout and a home of their own."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests import work
from tests.cluster import ROOT
from tests.stack import SandboxEnvironment

PIPELINES = Path("examples/pipelines")
GITHUB, SEMAPHORE = ROOT / PIPELINES / "github", ROOT / PIPELINES / "semaphore"

LONGEST_SECONDS = 180

# What a job's image has, and nothing that says which stack, cluster or state.
_OF_THE_IMAGE = (
    "PATH",
    "VIRTUAL_ENV",
    "PULUMI_HOME",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
    "PULUMI_SKIP_UPDATE_CHECK",
)

# How each shell is started, by the documentation of GitHub.
_SHELLS = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]}

# Stands for Python on a fresh machine: takes the two commands of the preparation, and gives the project's own Python for them.
_PYTHON = f"""\
#!/bin/sh
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    "-m pip install --quiet --require-hashes -r requirements.txt") [ -f requirements.txt ] ;;
    *) exec {ROOT}/.venv/bin/python "$@" ;;
esac
"""

# Stands for GitHub's own command: keeps the comments of one pull request, and refuses what it does not know.
_GH = f"""\
#!{ROOT}/.venv/bin/python
import json, os, pathlib, re, sys

assert os.environ["GH_TOKEN"] == "token-of-the-job"
kept = pathlib.Path(os.environ["HOME"], "comments.json")
comments = json.loads(kept.read_text())
arguments = sys.argv[1:]
body = pathlib.Path("plan.md").read_text() if arguments[-3:] == ["--field", "body=@plan.md", "--silent"] else ""
match arguments:
    case ["api", "--paginate", "repos/me/shop/issues/7/comments", "--jq", program]:
        marker = re.fullmatch(r'\\.\\[\\] \\| select\\(\\.body \\| startswith\\("(<!-- [^"]+ -->)"\\)\\) \\| \\.id', program)[1]
        print(*[each["id"] for each in comments if each["body"].startswith(marker)], sep="\\n")
    case ["api", "--method", "POST", "repos/me/shop/issues/7/comments", *_] if body:
        comments.append({{"id": 100 + len(comments), "body": body}})
    case ["api", "--method", "PATCH", path, *_] if body:
        [mine] = [each for each in comments if path == f"repos/me/shop/issues/comments/{{each['id']}}"]
        mine["body"] = body
    case _:
        sys.exit(f"gh: {{arguments}} is not expected")
kept.write_text(json.dumps(comments))
"""


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


class Agent:
    """A machine of a CI service on which the project is checked out. Its secrets lead to `environment`.

    `seen_in_arguments` holds the names of the secrets that any process of this machine had among its arguments.
    """

    def __init__(self, environment: SandboxEnvironment, directory: Path) -> None:
        self.environment = environment
        self.checkout, self.home, self._programs = (directory / name for name in ("checkout", "home", "bin"))
        self.seen_in_arguments: set[str] = set()
        self.home.mkdir(parents=True)
        self._check_out()
        for name, text in (("python3", _PYTHON), ("gh", _GH)):
            self._programs.mkdir(exist_ok=True)
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)
        (self.home / "comments.json").write_text(json.dumps([{"id": 41, "body": "Looks good to me."}]))
        variables = environment.cluster.variables
        self.variables = {name: variables[name] for name in _OF_THE_IMAGE if name in variables} | {
            "HOME": str(self.home),
            "PATH": f"{self._programs}:{variables['PATH']}",
        }
        self.secrets = {
            "PULUMI_BACKEND_URL": f"file://{environment.state}",
            "PULUMI_CONFIG_PASSPHRASE": variables["PULUMI_CONFIG_PASSPHRASE"],
            "KUBECONFIG_CONTENT": Path(variables["KUBECONFIG"]).read_text(),
        }

    def _check_out(self) -> None:
        for name in ("bin", "bluegreen", "components", PIPELINES):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("__main__.py", "Pulumi.yaml", "requirements.txt"):
            shutil.copy(ROOT / name, self.checkout / name)
        shutil.copy(self.environment.config_file, self.checkout)

    @property
    def summary(self) -> Path:
        """What GitHub would show as the summary of the job."""
        return self.home / "summary.md"

    def comments(self) -> list[dict[str, Any]]:
        """The comments of the pull request; the first is another's."""
        found: list[dict[str, Any]] = json.loads((self.home / "comments.json").read_text())
        return found

    def edit(self, file: str, old: str, new: str) -> None:
        """Changes a pipeline in the checkout."""
        path = self.checkout / PIPELINES / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def edit_config(self, change: Mapping[str, object]) -> str:
        """Changes the config in git, and returns its text."""
        file = self.checkout / self.environment.config_file.name
        content = yaml.safe_load(file.read_text())
        file.write_text(yaml.safe_dump({**content, "config": content["config"] | change}))
        return file.read_text()

    def run(self, shell: list[str], script: str, variables: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Runs one script. Raises `subprocess.TimeoutExpired`."""
        work.done["pipeline scripts"] += 1
        given = {**self.variables, **variables, "PULUMI_STACK": self.environment.name}
        with subprocess.Popen(
            [*shell, script],
            cwd=self.checkout,
            env=given,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            for _ in range(LONGEST_SECONDS * 5):
                self._look_at_arguments()
                try:
                    out, err = process.communicate(timeout=0.2)
                except subprocess.TimeoutExpired:
                    continue
                return subprocess.CompletedProcess(script, process.returncode, out, err)
            process.kill()
            raise subprocess.TimeoutExpired(script, LONGEST_SECONDS)

    def _look_at_arguments(self) -> None:
        lines = [_read_if_there(Path(entry.path, "cmdline")) for entry in os.scandir("/proc") if entry.name.isdigit()]
        text = b"\n".join(lines).decode(errors="replace")
        words = {name: self.secrets[name] for name in ("PULUMI_CONFIG_PASSPHRASE", "KUBECONFIG_CONTENT")}
        self.seen_in_arguments |= {name for name, secret in words.items() if secret.strip() in text}


def _read_if_there(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def github(
    agent: Agent, workflow: str, job: str, *, status: int = 0, ref_name: str = "main", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Runs the shell steps of a job; the first that fails ends it. Returns the last that was run, which ends with `status`."""
    content = read(agent.checkout / PIPELINES / "github" / f"{workflow}.yml")
    output = agent.home / "output"
    output.write_text("")
    context = {
        **{f"secrets.{name}": value for name, value in agent.secrets.items()},
        "vars.BLUEGREEN_URL": agent.environment.cluster.gateway_url,
        "github.ref_name": ref_name,
        "github.token": "token-of-the-job",
        "github.event.pull_request.number": "7",
    }
    of_the_service = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(agent.summary), "GITHUB_REPOSITORY": "me/shop"}
    shell = _SHELLS[content["defaults"]["run"]["shell"]]
    of_the_job = content["jobs"][job].get("env", {})
    for step in content["jobs"][job]["steps"]:
        if "run" not in step:
            assert step["uses"].partition("@")[0] in ("actions/checkout", "pulumi/actions")
            continue
        outputs = dict(line.split("=", 1) for line in output.read_text().splitlines())
        known = context | {f"steps.plan.outputs.{name}": value for name, value in outputs.items()}
        given = {name: _filled(str(value), known) for name, value in {**of_the_job, **step.get("env", {})}.items()}
        ran = agent.run(shell, step["run"], {**of_the_service, **given, **variables})
        if ran.returncode:
            break
    assert ran.returncode == status, ran
    return ran


def _filled(text: str, context: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ (\S+) \}\}", lambda found: context[found[1]], text)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of Semaphore that has passed."""

    content: Mapping[str, Any]

    def promoted(self, name: str) -> str:
        """The file of a promotion by its name."""
        [file] = [each["pipeline_file"] for each in self.content["promotions"] if each["name"] == name]
        return str(file)

    def promoted_by(self, tag: str) -> str:
        """The file of the promotion that `tag` starts by itself."""
        condition = re.compile(r"result = 'passed' AND tag =~ '(.*)'")
        conditions = {each["pipeline_file"]: each["auto_promote"]["when"] for each in self.content["promotions"]}
        patterns = {file: condition.fullmatch(when) for file, when in conditions.items()}
        [file] = [file for file, pattern in patterns.items() if pattern and re.search(pattern[1], tag)]
        return str(file)


def semaphore(agent: Agent, file: str, tag: str, *, status: int = 0) -> Pipeline:
    """Runs the commands of a pipeline, its prologue first, in one shell for each job, until one of them fails."""
    content = read(agent.checkout / PIPELINES / "semaphore" / file)
    common = content.get("global_job_config", {})
    secrets = {
        "kubeconfig": {"KUBECONFIG_CONTENT": agent.secrets["KUBECONFIG_CONTENT"]},
        "pulumi": {name: agent.secrets[name] for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE")}
        | {"BLUEGREEN_URL": agent.environment.cluster.gateway_url},
    }
    variables = {"SEMAPHORE_GIT_TAG_NAME": tag} | {each["name"]: each["value"] for each in common.get("env_vars", [])}
    for each in common.get("secrets", []):
        variables |= secrets[each["name"]]
    for job in [job for block in content["blocks"] for job in block["task"]["jobs"]]:
        # `checkout` is a command of the agent's.
        commands = ["checkout() { :; }", *common.get("prologue", {}).get("commands", []), *job["commands"]]
        ran = agent.run(["bash", "-e", "-c"], "\n".join(commands), variables)
        assert ran.returncode == status, (file, ran)
    return Pipeline(content)

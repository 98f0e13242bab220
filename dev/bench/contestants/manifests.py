"""The contestants that are plain manifests (`manifests/`): `kubectl apply` by hand, Argo Rollouts and Flagger."""

from dev.bench import peers
from dev.bench.cluster import Command
from dev.bench.contestants.base import RELEASE, ROLLBACK, SWITCH, Contestant
from dev.sandbox.images import APP_REPOSITORY
from dev.sandbox.toolchain import build_on_demand

ROLLOUT, CANARY = "rollout/myapp", "canary/myapp"


class Kubectl(Contestant):
    """The same objects as ours. Nobody checks anything; who is served is up to the person who applies."""

    name = "`kubectl apply`"
    slug = "kubectl"

    def install(self) -> None:
        self.apply("base").run()
        for color in ("blue", "green"):
            for command in self._deploy(color):
                command.run()
        self._route("blue", "green").run()

    def prepare(self, kind: str) -> None:
        if kind == RELEASE:
            self.kubectl("delete", "deployment,poddisruptionbudget", f"myapp-{self.idle}").run()
            self.kubectl("wait", "pods", f"--selector=color={self.idle}", "--for=delete", "--timeout=60s").run()

    def move(self, kind: str) -> list[Command]:
        return [*(self._deploy(self.idle) if kind == RELEASE else []), self._route(self.idle, self.live)]

    def _deploy(self, color: str) -> list[Command]:
        applied = self.apply("color", color=color, tag=self.next_tag(color))
        return [applied, self.kubectl("rollout", "status", f"deployment/myapp-{color}", "--timeout=60s")]

    def _route(self, users: str, testers: str) -> Command:
        return self.apply("route", users=users, testers=testers)


class ArgoRollouts(Contestant):
    """A Rollout with an active and a preview Service, promoted by a person with its own plugin of kubectl."""

    name = "Argo Rollouts"
    slug = "argo"
    tool = peers.ARGO
    # One process needs no election, which would want a namespace to hold its lease.
    arguments = ("--leader-elect=false", "--metricsPort=26920", "--healthzPort=26921")

    def install(self) -> None:
        self.apply("argo", tag=self.next_tag("blue")).run()
        self.wait(ROLLOUT, "Healthy").run()

    def prepare(self, kind: str) -> None:
        self.wait(ROLLOUT, "Healthy").run()
        if kind == SWITCH:  # the new version is ready before, as the idle color is elsewhere
            self._set_image().run()
            self.wait(ROLLOUT, "Paused").run()

    def move(self, kind: str) -> list[Command]:
        promote, undo = self._plugin("promote", "myapp"), self._plugin("undo", "myapp")
        if kind == SWITCH:
            return [promote]
        if kind == ROLLBACK:  # the old pods are still there: the controller moves users at once
            return [undo]
        # A minute later they are gone: to the controller, going back is one more release.
        return [self._set_image() if kind == RELEASE else undo, self.wait(ROLLOUT, "Paused"), promote]

    def _set_image(self) -> Command:
        return self._plugin("set", "image", "myapp", f"myapp={APP_REPOSITORY}:{self.next_tag(self.idle)}")

    def _plugin(self, *arguments: str) -> Command:
        program = str(build_on_demand(peers.ARGO) / "kubectl-argo-rollouts")
        return Command(arguments=(program, "--namespace", self.namespace, *arguments))


class Flagger(Contestant):
    """Users move when its analysis has passed, and only then; a rollback is one more release."""

    name = "Flagger"
    slug = "flagger"
    moves = (RELEASE, ROLLBACK)
    rounds = 3  # a release takes a minute by its own clock
    tool = peers.FLAGGER
    arguments = ("-mesh-provider=istio", "-port=26930", "-metrics-server=http://127.0.0.1:26931")  # where nobody listens

    def install(self) -> None:
        self.apply("flagger", tag=self.next_tag("blue")).run()
        self.wait(CANARY, "Initialized").run()

    def move(self, kind: str) -> list[Command]:  # noqa: ARG002 - every move is one more release
        image = f"myapp={APP_REPOSITORY}:{self.next_tag(self.idle)}"
        set_image = self.kubectl("set", "image", "deployment/myapp", image)
        return [set_image, self.wait(CANARY, "Progressing"), self.wait(CANARY, "Succeeded")]

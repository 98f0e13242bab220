"""The program that `pulumi up` runs: settings -> rules -> components -> outputs."""

# ruff: noqa: E402 - the first statement is there for the sake of the imports
import atexit
import gc
import os
import signal

# An update that has been refused is over, and the engine interrupts the program at once. What users should read then is the
# refusal, and not where in the program that happened to come.
signal.signal(signal.SIGINT, signal.SIG_DFL)

# What the SDK has imported by now stays. Collections that look through it again and again while the rest is imported take a
# third of that time; one more at the end takes longer than anything else there.
gc.freeze()
atexit.register(gc.freeze)

from pathlib import Path

import pulumi
from pulumi.runtime.config import CONFIG, is_config_secret

from bluegreen.environment import LiveEnvironment
from bluegreen.gate.check import Gate
from bluegreen.gate.cli_version import require_cli
from bluegreen.release import stack_file
from bluegreen.release.about import About
from bluegreen.release.config_reader import SettingsError, read_settings
from bluegreen.release.next_steps import next_steps
from bluegreen.release.settings import warnings
from bluegreen.routing import problems
from components.environment import Environment
from components.kubernetes_object import owner
from components.provider import placed_in, provider

require_cli()
config = CONFIG.get()
try:
    about = About.given(os.environ)
    written = stack_file.of_program(pulumi.get_stack(), Path.cwd())
    settings = read_settings(config, written.secrets.union(filter(is_config_secret, config)), written.misread, problems)
except (SettingsError, ValueError) as error:
    raise pulumi.RunError(str(error)) from None
for warning in warnings(settings):
    pulumi.warn(warning)

service = settings.service.name
gate = Gate(
    settings,
    LiveEnvironment(context=settings.context, namespace=settings.namespace, app=service, routing=settings.routing),
    owner(),
    about,
)
# Explicit, so that the cluster is named in the config and not by whoever runs the command. The engine starts the provider
# while the gate reads what is live.
cluster = provider(settings.context, settings.namespace)
options = pulumi.ResourceOptions(transformations=[placed_in(cluster), gate.guard])
checked: pulumi.Output[None] = pulumi.Output.from_input(gate.check())
environment = checked.apply(lambda _: Environment(service, settings, gate, options))

pulumi.export("activeColor", settings.active_color)
pulumi.export("testColor", settings.test_color)
pulumi.export("images", {name: color.image for name, color in settings.service.colors.items()})
pulumi.export("url", environment.apply(lambda made: made.url))
pulumi.export("test", environment.apply(lambda made: made.test_command))
pulumi.export("next", next_steps(settings))

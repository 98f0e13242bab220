"""The program that `pulumi up` runs: settings -> rules -> components -> outputs."""

from bluegreen import startup

with startup.program_imports():
    import os
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
    from bluegreen.routing import LAYERS
    from bluegreen.workload import WORKLOADS
    from components.environment import Environment
    from components.kubernetes_object import owner
    from components.provider import placed_in, provider

require_cli()
# Private names of the SDK: pulumi.Config reads one known key at a time, and a misspelled key is found only among all keys.
config = CONFIG.get()
try:
    about = About.given(os.environ)
    written = stack_file.of_program(pulumi.get_stack(), Path.cwd())
    secrets = written.secrets.union(filter(is_config_secret, config))
    settings = read_settings(config, secrets, written.misread, LAYERS, WORKLOADS, Path.cwd(), written.defaults)
except (SettingsError, ValueError) as error:
    raise pulumi.RunError(str(error)) from None
for warning in warnings(settings):
    pulumi.warn(warning)

service = settings.service
gate = Gate(
    settings,
    LiveEnvironment(context=settings.context, namespace=settings.namespace, service=service, routing=settings.routing),
    owner(),
    about,
)
# Explicit, so that the cluster is named in the config and not by whoever runs the command. The engine starts the provider
# while the gate reads what is live.
cluster = provider(settings.context, settings.namespace)
# Not transforms: the engine would call back into this process for each resource.
options = pulumi.ResourceOptions(transformations=[placed_in(cluster), gate.guard])
checked: pulumi.Output[None] = pulumi.Output.from_input(gate.check())
# Made inside `apply`, because no object may be registered before the rules have been checked.
environment = checked.apply(lambda _: Environment(service.name, settings, gate, options))

pulumi.export("activeColor", settings.active_color)
pulumi.export("testColor", settings.test_color)
pulumi.export("images", {name: color.image for name, color in service.colors.items()})
pulumi.export("url", environment.apply(lambda made: made.url))
pulumi.export("test", environment.apply(lambda made: made.test_command))
pulumi.export("next", next_steps(settings))

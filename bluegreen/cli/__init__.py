"""The command `bluegreen`: the cycle of a release, by the Pulumi CLI.

It changes the config of a stack and runs the program of this repository, exactly as a person does with `pulumi up`; every
rule is the program's. Each subcommand is a module of its own. Nothing here imports Pulumi's SDK.
"""

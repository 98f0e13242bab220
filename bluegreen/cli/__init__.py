"""The command `bluegreen`: the cycle of a release in words, on Pulumi's Automation API.

It changes the config of a stack and runs the program of this repository, exactly as a person does with `pulumi up`; every
rule is the program's. What answers at once (`status`, `--help`, the first half of `rollback --now`) must not import Pulumi.
"""

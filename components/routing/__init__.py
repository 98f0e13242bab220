"""The routing layers: the only thing that decides who gets what.

A layer is one file with one component, `Routing(name, settings, colors, opts)`. What it writes waits for all `colors`,
whichever is live, so that the graph never changes; nothing depends on it. It moves users by changing what it wrote, in
place. It offers `url` and `test_command`: where users come in, and what a tester types.
"""

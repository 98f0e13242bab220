"""The routing layers: the only thing that decides who gets what.

A layer is one file with one component, `Routing(name, settings, ready, hooks, opts)`. `ready` resolves to the Deployments of
all colors when they are ready: the object that decides who serves the users depends on it, whichever color is live, so that
the graph never changes, and carries `hooks`; nothing depends on it. A layer moves users by changing what it wrote, in place.
It offers `url` and `test_command`: where users come in, and what a tester types; and `route`, the object that decides about
users.
"""

"""A demo: one release, step by step with the real `pulumi`, while users send requests."""

"""The rules of a release, in plain Python: no Pulumi and no cluster, so that every rule is testable in microseconds."""

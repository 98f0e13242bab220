"""Measures a release by this project beside Argo Rollouts, Flagger, `kubectl apply` and a bare Pulumi program."""

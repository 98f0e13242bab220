"""Environments that earlier versions deployed: a directory for each version, and in it one for each routing."""

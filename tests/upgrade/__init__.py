"""Environments as earlier versions left them, to be upgraded: a directory for each version, with a file set for each routing."""

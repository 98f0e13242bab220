"""Stands for pip while the tests run an update; see `__main__.py`."""

"""Tests of the sources of workloads."""

"""Sends real requests at a fixed rate, and turns their responses into figures and pictures."""

"""Real requests at a fixed rate, and what came of each: the load, the figures and the pictures."""

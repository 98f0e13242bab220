"""For people who work on this project: the sandbox, its tools, load, demo and benchmark."""

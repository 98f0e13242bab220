"""What a release costs, side by side: this program and what one would take instead, on the same cluster, in one run."""

"""What the pods of a color are. One module for each source."""

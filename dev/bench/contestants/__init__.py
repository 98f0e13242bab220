"""What is measured: contestants that are a Pulumi program, and contestants that are manifests."""

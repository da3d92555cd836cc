"""anomalib itself: reading its checkpoints, building its models without a download, running and fitting them."""

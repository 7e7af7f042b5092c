"""The public wire contract with the region: topics and payload types. It changes only by adding."""

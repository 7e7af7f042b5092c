"""What may be wrong on a gateway, found out beside a running agent and without touching what it keeps."""

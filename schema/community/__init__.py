"""The solar community: what its cycle reads, writes and records."""

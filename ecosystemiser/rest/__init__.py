"""The results over HTTP: read-only, as JSON."""

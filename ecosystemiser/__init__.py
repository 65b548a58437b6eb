"""The face: command line, pictures, the Python API."""

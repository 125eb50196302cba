"""A trained network as a file for another runtime."""

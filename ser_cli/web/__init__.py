"""The web page of `ser app`."""

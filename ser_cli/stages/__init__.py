"""One file per command: each joins the steps below and returns a result."""

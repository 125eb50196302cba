"""One file a command: each joins the steps below and returns a result."""

"""The commands of `ser`: each parses its options, calls one stage and prints."""

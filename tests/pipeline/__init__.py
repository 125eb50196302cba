"""Every command after the other, from recordings to a report, on a few tones."""

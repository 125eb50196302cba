"""Corpora, downloads, the feature cache and splits."""

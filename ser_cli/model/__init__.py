"""Preprocessing, artifacts and inference of a trained network."""

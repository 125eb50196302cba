"""From an audio file to a matrix of features."""

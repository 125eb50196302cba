"""From the features of a split to a trained network. Here, as in export/, TensorFlow is loaded."""

import ser_cli.export  # noqa: F401 - loads TensorFlow without its noise

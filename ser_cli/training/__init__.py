"""From features to a trained network: TensorFlow from here on."""

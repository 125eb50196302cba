"""A trained Keras network as a file for another runtime. From here on, TensorFlow is loaded."""

import os

from ser_cli.ending import loading
from ser_cli.process import silent_stderr

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# TensorFlow speaks of processors and absent graphics cards before it can be told to be quiet.
with loading(), silent_stderr():
    import tensorflow as tf

    tf.config.get_visible_devices()
# It warns of every new network that a study or a fold builds.
tf.get_logger().setLevel("ERROR")

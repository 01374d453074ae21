"""Images a second in training, stock Keras: fit on a pipeline of tf.data, or steps on JAX."""

import os
import time

import steps
from material import source, train
from rounds import rate, serve

parser = steps.arguments(__doc__)
parser.add_argument("--backend", choices=("tensorflow", "jax"), default="tensorflow")
parser.add_argument(
    "--layers", action="store_true", help="augment by Keras' own layers, not by bloodlib's"
)
options = parser.parse_args()
os.environ["KERAS_BACKEND"] = options.backend

from bloodlib.models import training  # noqa: E402

keras = training.load_keras()


def made():
    """The network with Keras' own layers and optimizer."""
    model = steps.network(options)
    model.compile(keras.optimizers.Adadelta(1.0), "sparse_categorical_crossentropy")
    return model


class Times(keras.callbacks.Callback):
    """When each batch ended."""

    def on_train_begin(self, logs=None):
        """Begin with none."""
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        """Note the time."""
        self.ends.append(time.perf_counter())


def pipeline():
    """Shuffled, augmented batches without end, made ahead by as many threads as tf.data likes."""
    import numpy as np
    import tensorflow as tf

    found = tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(len(pixels)).repeat()
    found = found.batch(options.batch, drop_remainder=True)
    rng = np.random.default_rng(0)
    layers = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(10 / 360, fill_mode="nearest"),
            keras.layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        ]
    )

    def prepared(images, labels):
        if options.augment and options.layers:
            return layers(tf.cast(images, tf.float32), training=True), labels
        if options.augment:
            turned = tf.numpy_function(lambda x: training.augment(x, rng), [images], tf.float32)
            return tf.ensure_shape(turned, images.shape), labels
        return tf.cast(images, tf.float32), labels

    return found.map(prepared, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def fit(count):
    """Images a second over so many batches of one call of fit, after the first two."""
    times = Times()
    model.fit(dataset, steps_per_epoch=count + 2, callbacks=[times], verbose=0)
    return count * options.batch / (times.ends[-1] - times.ends[1])


def measure():
    """Images a second."""
    if options.backend == "tensorflow":
        return {"value": fit(max(3, round(options.seconds * first / options.batch)))} | checked
    found = rate(lambda: model.train_on_batch(*next(ahead)), options.seconds)
    return {"value": found * options.batch} | checked


pixels, labels = train(options.images, tuple(options.size))
checked = {"answer": steps.keras_check(made(), pixels, labels)} if options.check else {}
model = made()
if options.backend == "tensorflow":
    dataset = pipeline()
    first = fit(3)
else:
    ahead = training._ahead(steps.batches(options, pixels, labels))
    model.train_on_batch(*next(ahead))
serve(measure, ("keras", options.backend), images=source())

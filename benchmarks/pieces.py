"""Where the time of a training step goes: milliseconds of each of its parts, measured alone."""

import time

import numpy as np
import steps
from material import source, train
from rounds import rate, serve

from bloodlib.models import dclnn, training

parser = steps.arguments(__doc__)
parser.add_argument("--stock", action="store_true", help="with Keras' own pooling and Adadelta")
options = parser.parse_args()
keras = training.load_keras()
import tensorflow as tf  # noqa: E402

from bloodlib.models import fused  # noqa: E402

dtype = tf.bfloat16 if options.precision == "mixed_bfloat16" else tf.float32


def some(*shape):
    """Random numbers of the precision."""
    return tf.cast(tf.random.stateless_normal(shape, [0, 0]), dtype)


def milliseconds(function, *arguments):
    """Of one call, compiled by TensorFlow before."""
    compiled = tf.function(function)
    compiled(*arguments)
    return 1e3 / rate(lambda: compiled(*arguments), options.seconds / 10)


def update():
    """One update of all weights."""
    optimizer = (keras.optimizers if options.stock else fused).Adadelta(1.0)
    variables = dclnn.build(4, hidden=options.hidden, size=(height, width)).trainable_variables
    optimizer.build(variables)
    gradients = [tf.zeros(variable.shape) + 1e-3 for variable in variables]
    return lambda: optimizer.apply(gradients, variables)


def pooling():
    """The pooling layer and ReLU, there and back."""
    maps = some(n, height - 4, width - 4, 64)

    def both():
        with tf.GradientTape() as tape:
            tape.watch(maps)
            if options.stock:
                pooled = tf.nn.max_pool2d(tf.nn.relu(maps), 2, 2, "VALID")
            else:
                pooled = fused._pool(maps)
        return tape.gradient(pooled, maps, output_gradients=tf.ones_like(pooled))

    return both


def dropping():
    """The first dropout, there and back."""
    pooled = some(n, (height - 4) // 2, (width - 4) // 2, 64)
    layer = (keras.layers if options.stock else fused).Dropout(0.25, seed=0, dtype=dtype.name)

    def both():
        with tf.GradientTape() as tape:
            tape.watch(pooled)
            dropped = layer(pooled, training=True)
        return tape.gradient(dropped, pooled, output_gradients=tf.ones_like(dropped))

    return both


def parts():
    """The parts of a step, as functions."""
    of_kernel, of_maps = tf.raw_ops.Conv2DBackpropFilter, tf.raw_ops.Conv2DBackpropInput
    flow = {"strides": [1, 1, 1, 1], "padding": "VALID"}
    images = some(n, height, width, 3)
    first, second = some(n, height - 2, width - 2, 32), some(n, height - 4, width - 4, 64)
    kernels = some(3, 3, 3, 32), some(3, 3, 32, 64)
    flat = some(n, 64 * ((height - 4) // 2) * ((width - 4) // 2))
    dense, hidden = some(flat.shape[1], options.hidden), some(n, options.hidden)
    return {
        "convolution 1": lambda: tf.nn.relu(tf.nn.conv2d(images, kernels[0], 1, "VALID")),
        "convolution 1, weights": lambda: of_kernel(
            input=images, filter_sizes=kernels[0].shape, out_backprop=first, **flow
        ),
        "convolution 2": lambda: tf.nn.conv2d(first, kernels[1], 1, "VALID"),
        "convolution 2, maps": lambda: of_maps(
            input_sizes=first.shape, filter=kernels[1], out_backprop=second, **flow
        ),
        "convolution 2, weights": lambda: of_kernel(
            input=first, filter_sizes=kernels[1].shape, out_backprop=second, **flow
        ),
        "pooling and ReLU": pooling(),
        "dropout": dropping(),
        "hidden layer": lambda: (
            flat @ dense,
            tf.matmul(flat, hidden, transpose_a=True),
            tf.matmul(hidden, dense, transpose_b=True),
        ),
        "Adadelta": update(),
    }


class Batches(keras.utils.PyDataset):
    """Some batches, as a dataset that fit takes."""

    def __len__(self):
        return 12

    def __getitem__(self, step):
        return images, labels[:n]


class Last(keras.callbacks.Callback):
    """When the last batch ended."""

    def on_train_batch_end(self, batch, logs=None):
        """Note the time."""
        self.end = time.perf_counter()


def wait():
    """Seconds that fit goes on after the last batch of an epoch."""
    last = Last()
    model.fit(Batches(), callbacks=[last], verbose=0)
    return time.perf_counter() - last.end


def measure():
    """Milliseconds of a whole step, and of its parts."""
    alone = {name: milliseconds(part) for name, part in functions.items()}
    whole = 1e3 / rate(lambda: model.train_on_batch(images, labels[:n]), options.seconds)
    rng = np.random.default_rng(0)
    augmentation = 1e3 / rate(lambda: training.augment(pixels[:n], rng), options.seconds / 10)
    found = {"value": whole, "parts": alone, "augmentation": augmentation}
    return found | ({"waits": [wait() for _ in range(3)]} if options.stock else {})


n, (height, width) = options.batch, options.size
pixels, labels = train(options.images, (height, width))
images = pixels[:n].astype("float32")
model = steps.network(options) if options.stock else fused.twin(steps.network(options))
model.compile(
    (keras.optimizers if options.stock else fused).Adadelta(1.0), "sparse_categorical_crossentropy"
)
model.train_on_batch(images, labels[:n])
functions = parts()
serve(measure, ("keras", "tensorflow"), images=source())

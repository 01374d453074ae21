"""The same training step in fewer passes over memory, on a processor with TensorFlow.

Stock Keras spends a third of a step outside of the multiplications: the gradient of the pooling
layer searches every block again for its maximum, dropout draws a random number of 32 bits for each
of its numbers, and Adadelta goes through the weights once for each operation of its formula. Here
each of these is one pass, and dropout takes eight bits. What is computed stays the same: only the
rounding of sums may differ, and which numbers are dropped. ``make bench`` measures what it brings.
"""

import keras
import tensorflow as tf


def twin(model: keras.Sequential) -> keras.Sequential:
    """A network that computes the same with fewer passes, with the same weights.

    Where a layer with ReLU is followed by max-pooling of 2×2, ReLU is done after pooling: the
    largest of four numbers is cut at zero in place of each of the four, with the same result.
    Any other pooling stays Keras' own.

    Parameters
    ----------
    model : keras.Sequential
        As :func:`bloodlib.models.networks.build_dclnn` makes it.

    Returns
    -------
    keras.Sequential
        Layers of the same names, weights in the same order.
    """
    layers = []
    row = [None, *model.layers, None]
    for before, layer, following in zip(row[:-2], row[1:-1], row[2:], strict=True):
        config = layer.get_config()
        if _cut_after_pooling(layer, following):
            layers.append(type(layer).from_config(config | {"activation": None}))
        elif _cut_after_pooling(before, layer):
            layers.append(MaxPoolReLU(name=layer.name, dtype=config["dtype"]))
        elif _drops_by_eight_bits(layer):
            layers.append(Dropout.from_config(config))
        else:
            layers.append(type(layer).from_config(config))
    result = keras.Sequential([keras.Input(model.input_shape[1:]), *layers], name=model.name)
    result.set_weights(model.get_weights())
    return result


class MaxPoolReLU(keras.layers.Layer):
    """Max-pooling of 2×2 and ReLU, with a gradient that remembers where each maximum was."""

    def call(self, inputs):
        """Pool maps [n, height, width, filters]; an odd last row or column is left out."""
        return _pool(inputs)

    def compute_output_shape(self, input_shape):
        """Shape of the pooled maps."""
        n, height, width, filters = input_shape
        return n, height // 2, width // 2, filters


class Dropout(keras.layers.Dropout):
    """Keras' dropout from fewer random bits: eight decide on a number, not thirty-two.

    Its rate has to be a whole number of 256ths, as a half and a quarter are.
    """

    def call(self, inputs, training=False):
        """Set some numbers to zero and make the others larger, while training."""
        if not training or not self.rate:
            return inputs
        bits = tf.random.stateless_uniform(
            [(tf.size(inputs) + 3) // 4], self.seed_generator.next(), None, None, tf.uint32
        )
        drawn = tf.reshape(tf.bitcast(bits, tf.uint8), [-1])[: tf.size(inputs)]
        return _drop(inputs, tf.reshape(drawn, tf.shape(inputs)), self.rate)


class Adadelta(keras.optimizers.Adadelta):
    """Keras' Adadelta, each weight updated in one pass by TensorFlow's own operation."""

    def update_step(self, gradient, variable, learning_rate):
        """Update a variable from its gradient."""
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdadelta(
            var=variable.handle,
            accum=self._accumulated_grads[index].value.handle,
            accum_update=self._accumulated_delta_vars[index].value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            rho=self.rho,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )


def _cut_after_pooling(layer, following):
    relu = getattr(layer, "activation", None) is keras.activations.relu
    if not relu or type(following) is not keras.layers.MaxPooling2D:
        return False
    pool = following.get_config()
    plain = {"padding": "valid", "data_format": "channels_last"}
    return pool["pool_size"] == pool["strides"] == (2, 2) and plain.items() <= pool.items()


def _drops_by_eight_bits(layer):
    plain = type(layer) is keras.layers.Dropout and layer.noise_shape is None
    return plain and (256 * layer.rate).is_integer()


def _drop(inputs, drawn, rate):
    @tf.custom_gradient
    def dropped(inputs):
        return _kept(inputs, drawn, rate), lambda gradient: _kept(gradient, drawn, rate)

    return dropped(inputs)


@tf.function(jit_compile=True)
def _kept(numbers, drawn, rate):
    """Numbers of which as many as the rate says are zero, and whose sum is expected to stay."""
    larger = numbers * tf.cast(1 / (1 - rate), numbers.dtype)
    return tf.where(tf.cast(drawn, tf.int32) < int(256 * rate), tf.zeros_like(numbers), larger)


@tf.custom_gradient
def _pool(maps):
    pooled, place = _largest(maps)
    return pooled, lambda gradient: _spread(gradient, place, tf.shape(maps))


@tf.function(jit_compile=True)
def _largest(maps):
    """Maxima of 2×2 blocks cut at zero, and where they were: 0 to 3, or 4 where all are negative.

    Of equal ones the first counts, as in TensorFlow's own pooling.
    """
    height, width = maps.shape[1] // 2 * 2, maps.shape[2] // 2 * 2
    corners = [maps[:, i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)]
    top = tf.maximum(tf.maximum(corners[0], corners[1]), tf.maximum(corners[2], corners[3]))
    place = 3
    for number in (2, 1, 0):
        place = tf.where(corners[number] == top, number, place)
    return tf.nn.relu(top), tf.cast(tf.where(top > 0, place, 4), tf.uint8)


@tf.function(jit_compile=True)
def _spread(gradient, place, shape):
    """Gradient of the maps: that of each maximum at its place, nothing elsewhere."""
    n, height, width, filters = tf.unstack(tf.shape(place))
    places = tf.reshape(tf.range(4, dtype=tf.int32), (1, 1, 2, 1, 2, 1))
    here = tf.cast(place, tf.int32)[:, :, None, :, None] == places
    spread = tf.where(here, gradient[:, :, None, :, None], tf.zeros((), gradient.dtype))
    whole = tf.reshape(spread, (n, 2 * height, 2 * width, filters))
    return tf.pad(whole, [[0, 0], [0, shape[1] - 2 * height], [0, shape[2] - 2 * width], [0, 0]])

"""The most that a processor could do: images a second if all of a step were one multiplication."""

import steps
from rounds import rate, serve

from bloodlib.analyses import bench
from bloodlib.models import training

parser = steps.arguments(__doc__)
parser.add_argument("--side", type=int, default=2048, help="of the matrices that are multiplied")
options = parser.parse_args()
training.load_keras()
import tensorflow as tf  # noqa: E402

dtype = tf.bfloat16 if options.precision == "mixed_bfloat16" else tf.float32
first, second = (
    tf.cast(tf.random.stateless_normal((options.side, options.side), [seed, 0]), dtype)
    for seed in (0, 1)
)
multiply = tf.function(lambda: tf.matmul(first, second))


def measure() -> dict:
    """Operations a second, as images."""
    done = 2 * options.side**3 * rate(lambda: multiply().shape, options.seconds)
    images = done / bench.operations(tuple(options.size), options.hidden)
    return {"value": images, "gflops": done / 1e9}


multiply()
serve(measure, ("tensorflow",))

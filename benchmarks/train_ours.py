"""Images a second in training, ours: the steps of bloodlib.models.dclnn."""

import time

import numpy as np
import steps
from material import source, train
from rounds import rate, serve
from tqdm import tqdm

from bloodlib.models import training

parser = steps.arguments(__doc__)
parser.add_argument(
    "--share", action="store_true", help="tell which share of a step one thread augments instead"
)
options = parser.parse_args()
training.load_keras()
from bloodlib.models import fused  # noqa: E402


def made():
    """The network as :func:`bloodlib.models.dclnn.dclnn` trains it on a processor."""
    model = fused.twin(steps.network(options))
    model.compile(
        optimizer=fused.Adadelta(learning_rate=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[training._confusion_metric(4)],
    )
    return model


def some(seconds):
    """Batches for at least so many seconds, and three."""
    clock = time.perf_counter()
    for number, batch in enumerate(endless):
        yield batch
        if number >= 2 and time.perf_counter() - clock > seconds:
            return


def images_a_second(seconds):
    """How many images are learned from in a second."""
    learned = []
    with tqdm(total=10**9, disable=True) as bar:
        bar.update = learned.append
        clock = time.perf_counter()
        training._epoch(model, some(seconds), bar)
        return sum(learned) / (time.perf_counter() - clock)


def measure():
    """Images a second, or augmentation's share."""
    found = images_a_second(options.seconds)
    if not options.share:
        return {"value": found} | checked
    batch, rng = pixels[: options.batch], np.random.default_rng(0)
    augmented = options.batch * rate(lambda: training.augment(batch, rng), options.seconds / 4)
    return {"value": found / augmented, "step_ms": 1e3 * options.batch / found}


pixels, labels = train(options.images, tuple(options.size))
checked = {"answer": steps.keras_check(made(), pixels, labels)} if options.check else {}
model, endless = made(), steps.batches(options, pixels, labels)
images_a_second(seconds=0)
serve(measure, ("keras", "tensorflow"), images=source())

"""The training loss over every tenth of some epochs: ours, or stock Keras, on the same images."""

import argparse
import itertools

from material import source, train
from rounds import serve
from tqdm import tqdm

from bloodlib.models import dclnn, training

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--stock", action="store_true", help="Keras' own pooling and Adadelta")
parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--images", type=int, default=10**6, help="of TRAIN, at most")
options = parser.parse_args()
keras = training.load_keras()


def measure():
    """Train with the lineage's settings."""
    model = dclnn.build(4, seed=options.seed, precision=options.precision)
    optimizer = keras.optimizers.Adadelta
    if not options.stock:
        from bloodlib.models import fused

        model, optimizer = fused.twin(model), fused.Adadelta
    model.compile(
        optimizer=optimizer(learning_rate=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=[training._confusion_metric(4)],
    )
    pixels, labels = train(options.images)
    tenth = -(-len(labels) // (32 * 10))
    losses = []
    for epoch in range(options.epochs):
        training._seed_dropout(model, options.seed, epoch)
        batches = training._batches(pixels, labels, 32, True, options.seed, epoch)
        with tqdm(total=len(labels), disable=True) as bar:
            while some := list(itertools.islice(batches, tenth)):
                losses.append(training._epoch(model, iter(some), bar)[0])
    return {"value": losses[-1], "answer": losses, "losses": losses}


serve(measure, ("keras", "tensorflow"), images=source())

"""Images a second in training, the same network in PyTorch: eager, channels last."""

import steps
import torch
from material import source, train
from rounds import rate, serve
from torch import nn

from bloodlib.models import training

options = steps.arguments(__doc__).parse_args()


class Network(nn.Module):
    """DCLNN, with logits in the place of probabilities."""

    def __init__(self, dropout):
        super().__init__()
        height, width = ((side - 4) // 2 for side in options.size)
        self.convolutions = nn.Sequential(
            nn.Conv2d(3, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.dense = nn.Sequential(
            nn.Dropout(0.25 * dropout),
            nn.Linear(64 * height * width, options.hidden),
            nn.ReLU(),
            nn.Dropout(0.5 * dropout),
            nn.Linear(options.hidden, 4),
        )

    def forward(self, images):
        """Logits [n, 4] of images [n, height, width, 3]."""
        maps = self.convolutions(images.permute(0, 3, 1, 2) / 255)
        return self.dense(maps.permute(0, 2, 3, 1).flatten(1))  # channels last, as they lie


def made(dropout=True, learning_rate=1.0):
    """Network and optimizer; the weights are those of Keras' layers."""
    model = Network(dropout)
    with torch.no_grad():
        parameters = list(model.parameters())
        # Keras has rows, columns, inputs, outputs
        orders = [(2, 3, 1, 0) if p.ndim == 4 else (1, 0)[: p.ndim] for p in parameters]
        orders = [
            order if p.ndim > 1 else (0,) for order, p in zip(orders, parameters, strict=True)
        ]
        shapes = [tuple(p.permute(o).shape) for p, o in zip(parameters, orders, strict=True)]
        for parameter, order, value in zip(parameters, orders, steps.weights(shapes), strict=True):
            parameter.permute(order).copy_(torch.from_numpy(value))
    model = model.to(memory_format=torch.channels_last)
    return model, torch.optim.Adadelta(model.parameters(), lr=learning_rate, rho=0.95, eps=1e-7)


def loss_of(model, images, labels):
    """Cross-entropy of a batch."""
    with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "mixed_bfloat16"):
        answers = model(torch.from_numpy(images))
    return nn.functional.cross_entropy(answers.float(), torch.from_numpy(labels).long())


def step(model, optimizer, images, labels):
    """Learn from a batch; its loss before."""
    optimizer.zero_grad()
    loss = loss_of(model, images, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def checked_losses():
    """The first losses, for comparison."""
    network = made(dropout=False, learning_rate=steps.LEARNING_RATE)
    return steps.check(lambda x, y: step(*network, x, y), pixels, labels)


pixels, labels = train(options.images, tuple(options.size))
checked = {"answer": checked_losses()} if options.check else {}
network = made()
ahead = training._ahead(steps.batches(options, pixels, labels))
for _ in range(2):
    step(*network, *next(ahead))
serve(
    lambda: (
        {"value": options.batch * rate(lambda: step(*network, *next(ahead)), options.seconds)}
        | checked
    ),
    ("torch",),
    images=source(),
)

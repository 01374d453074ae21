"""What a method is: a function from images to predictions, and its settings.

A method's settings are its keyword-only arguments: their names, types and defaults are
read from the signature, and a wrong name or a wrong value is refused. To add a
method, write one function and decorate it with :func:`method`::

    @method("forest")
    def random_forest(data, task, seed, checkpoint, *, trees: int = 100): ...

``CONTRIBUTING.md`` has the whole of it.
"""

import difflib
import inspect
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bloodlib.data.images import SPLITS, TASKS

METHODS: dict[str, Callable[..., "Predictions"]] = {}


@dataclass(frozen=True, eq=False)
class Data:
    """The images a method learns from and is tried on.

    Two of them are equal only if they are one, so that what is derived from the
    images can be cached by them.

    Attributes
    ----------
    pixels : dict of str to uint8 array [n, height, width, 3]
        RGB images by split.
    labels : dict of str to dict of str to uint8 array [n]
        Labels by task, then by split.
    hash : str
        Identity of these images.
    photographs : callable, optional
        Returns the number of the photograph behind each image of TRAIN, int array [n], where it is
        known; it's looked up only if asked for. Those of TEST are no method's business.
    """

    pixels: dict[str, np.ndarray]
    labels: dict[str, dict[str, np.ndarray]]
    hash: str
    photographs: Callable[[], np.ndarray] | None = None

    def head(self, n: int) -> "Data":
        """The first ``n`` training images of each class, and a quarter as many of TEST.

        Classes are taken evenly spaced through the order of names, so that a
        small sample is not all of one photograph.
        """
        keep = {"TRAIN": n, "TEST": max(1, n // 4), "TEST_SIMPLE": n}
        chosen = {}
        for split in SPLITS:
            four = self.labels["four"][split]
            rows = [np.flatnonzero(four == label) for label in range(len(TASKS["four"]))]
            chosen[split] = np.concatenate(
                [r[np.linspace(0, len(r) - 1, min(len(r), keep[split])).astype(int)] for r in rows]
            )
        return Data(
            {split: self.pixels[split][chosen[split]] for split in SPLITS},
            {
                task: {split: labels[split][chosen[split]] for split in SPLITS}
                for task, labels in self.labels.items()
            },
            f"{self.hash}-{n}",
            self.photographs and (lambda: self.photographs()[chosen["TRAIN"]]),
        )


@dataclass
class Predictions:
    """What a method answered. Scores are computed from it, never stored.

    Attributes
    ----------
    labels : uint8 array [epochs, n]
        Predicted labels on TEST after each epoch; one row where there are no epochs.
    labels_simple : uint8 array [n]
        Predicted labels on TEST_SIMPLE at the end.
    probabilities : float16 array [n, classes]
        Class probabilities on TEST at the end.
    probabilities_simple : float16 array [n, classes]
        Class probabilities on TEST_SIMPLE at the end.
    confusion_train : int32 array [epochs, classes, classes], optional
        Counts on TRAIN (rows: true class), as gathered while each epoch ran.
    history : dict of str to list of float
        Losses and seconds by epoch.
    weights : str
        Hash of the trained weights, empty for methods without.
    device : str
        Name of the GPU that computed it; empty for the processor.
    backend : str
        Keras' backend, for a network.
    """

    labels: np.ndarray
    labels_simple: np.ndarray
    probabilities: np.ndarray
    probabilities_simple: np.ndarray
    confusion_train: np.ndarray | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    weights: str = ""
    device: str = ""
    backend: str = ""

    @classmethod
    def from_probabilities(
        cls, probabilities: dict[str, np.ndarray], labels: dict[str, np.ndarray] | None = None
    ) -> "Predictions":
        """Predictions of a method without epochs.

        Parameters
        ----------
        probabilities : dict of str to array [n, classes]
            Class probabilities by split, of TEST and TEST_SIMPLE.
        labels : dict of str to array [n], optional
            Labels by split, for a method that has them of its own; otherwise the most probable
            class, the first of them where several are.
        """
        splits = ("TEST", "TEST_SIMPLE")
        if labels is None:
            labels = {split: probabilities[split].argmax(axis=1) for split in splits}
        test, simple = (labels[split].astype(np.uint8) for split in splits)
        return cls(test[None], simple, *(probabilities[s].astype(np.float16) for s in splits))


class InfeasibleError(ValueError):
    """The settings have no solution on these images, whatever the effort."""


def method(name: str) -> Callable:
    """Register a function under the name by which ``study.yml`` and the tables call it.

    The function returns :class:`Predictions`. Before its settings it takes ``data``: :class:`Data`,
    of any size; ``task``: "four" or "two", classes to tell apart; ``seed``: int, of all that is
    left to chance, if anything is; ``checkpoint``: path, where what learns in epochs keeps its
    state after each, and goes on from.
    """

    def register(function):
        METHODS[name] = function
        return function

    return register


def defaults(name: str) -> dict[str, object]:
    """Settings of a method and their default values."""
    return {p.name: p.default for p in _settings(name)}


def check(name: str, given: dict[str, object]) -> dict[str, object]:
    """Every setting of the method: those given, checked and converted, and the defaults.

    Raises
    ------
    ValueError
        For a method or a setting that does not exist, and for a value of the wrong type.
    """
    known = {p.name: p for p in _settings(name)}
    for key in given:
        if key not in known:
            raise ValueError(f"{name} has no setting {key!r}. {suggest(key, known)}")
    return {
        key: _convert(f"{name}: {key}", given[key], p.annotation) if key in given else p.default
        for key, p in known.items()
    }


def suggest(word: str, known) -> str:
    """A sentence that names what might have been meant."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1)
    listed = ", ".join(str(k) for k in known) or "none"
    return f"Did you mean {near[0]!r}?" if near else f"There are: {listed}."


def _settings(name):
    if name not in METHODS:
        raise ValueError(f"there is no method {name!r}. {suggest(name, METHODS)}")
    parameters = inspect.signature(METHODS[name]).parameters.values()
    return [p for p in parameters if p.kind is p.KEYWORD_ONLY]


def _convert(what, value, wanted):
    """``value`` as the annotation has it, or a ValueError: 1 may be 1.0, but True is no number."""
    if typing.get_origin(wanted) is typing.Literal:
        choices = typing.get_args(wanted)
        if value in choices and type(value) in {type(c) for c in choices}:
            return value
        raise ValueError(f"{what} is {value!r}. {suggest(value, choices)}")
    if isinstance(wanted, types.UnionType):
        for option in typing.get_args(wanted):
            try:
                return _convert(what, value, option)
            except ValueError:
                continue
    elif wanted is type(None):
        if value is None:
            return None
    elif wanted is float:
        if type(value) in (int, float) and np.isfinite(value):
            return float(value)
    elif type(value) is wanted:
        return value
    raise ValueError(f"{what} is {value!r}, which is not of type {wanted}")

"""What chapter 15 shows, from a measurement that was made up."""

import json
import types

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bloodlib.analyses import bench, cost
from bloodlib.study import records


def row(name, unit, ours, peers=None, **more):
    """A row as :func:`bench.measure` returns it; values are lists, one number a round."""
    better = max if unit.endswith("/s") else min
    medians = {
        label: float(np.median(v)) if v else None for label, v in (ours | (peers or {})).items()
    }
    first = more.pop("ours_is", None) or better(ours, key=medians.get)
    known = {label: medians[label] for label in peers or {} if medians[label] is not None}
    best = better(known, key=known.get) if known else None
    ratio = None
    if best:
        ratio = medians[first] / known[best]
        ratio = ratio if better is max else 1 / ratio
    target = more.get("target")
    return {
        "row": name, "work": name.title(), "unit": unit,
        "ours": medians[first], "ours_is": first,
        "also": {label: medians[label] for label in ours if label != first},
        "peers": {label: medians[label] for label in peers or {}},
        "best": best, "ratio": ratio, "target": target,
        "met": None if target is None else (ratio >= target if best else medians[first] <= target),
        "correct": None, "details": {}, "peak_gb": dict.fromkeys(ours, 1.0),
        "rounds": {label: v for label, v in (ours | (peers or {})).items() if v},
    } | more  # fmt: skip


@pytest.fixture
def made(folders):
    """A function that freezes rows."""

    def freeze(*rows):
        content = {"machine": {"processor": "a slate"}, "rows": rows}
        (folders.results / bench.FILE).write_text(json.dumps(content))

    yield freeze
    plt.close("all")


def test_ratios_and_their_range_over_the_rounds(made):
    made(
        row("fast", "images/s", {"x": [30, 40, 50]}, {"a": [10, 20, 20], "b": [5, 5, 5]}, target=3),
        row("slow", "s", {"x": [2, 4]}, {"a": [8, 4]}),
        row("alone", "s", {"x": [1]}, target=2),
    )
    found = cost.load_ratios().set_index("row")
    assert found.index.tolist() == ["fast", "slow"]
    assert found.loc["fast", ["ratio", "low", "high", "best"]].tolist() == [2, 2, 3, "a"]
    assert found.loc["slow", ["ratio", "low", "high"]].tolist() == [2, 1, 4]
    figure = cost.plot_ratios(cost.load_ratios())
    (axis,) = figure.axes
    assert [bar.get_x() + bar.get_width() for bar in axis.patches] == [2, 2]
    assert [text.get_text() for text in axis.texts] == ["2", "2"]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["Fast\na", "Slow\na"]


def test_speeds_are_sorted_and_what_is_missing_stays(made):
    made(row("fast", "images/s", {"x": [30], "y": [20]}, {"a": [40, 60], "b": None, "c": [15]}))
    found = cost.load_speeds("fast")
    assert found[""].tolist() == ["a", "ours, x", "ours, y", "c", "b"]
    assert found["Ours against it"].tolist() == [
        "0.60 times", "1.00 times", "1.50 times", "2.00 times", "–",
    ]  # fmt: skip
    assert found["Median (images/s)"].tolist()[-1] == "not measured"
    assert found["Rounds"].tolist()[0] == "40 to 60"
    made(row("slow", "s", {"x": [2]}, {"a": [8]}))
    assert cost.load_speeds("slow")["Ours against it"].tolist() == ["1.00 times", "4.00 times"]


def test_targets_in_words(made):
    made(
        row("fast", "images/s", {"x": [30]}, {"a": [20]}, target=1.8),
        row("small", "GB", {"x": [1.5]}, target=2),
        row("free", "s", {"x": [1]}),
    )
    found = cost.load_targets().to_dict("records")
    assert [list(one.values()) for one in found] == [
        ["Fast", "1.8 times a", "1.5 times", "no"],
        ["Small", "at most 2 GB", "1.5 GB", "yes"],
    ]


def test_agreement_names_who_is_furthest(made):
    apart = {"x": 0.0, "a": 0.02, "b": 0.001}
    made(
        row("one", "s", {"x": [1]}, correct={"what": "losses", "apart": apart, "agree": True}),
        row("two", "s", {"x": [1]}, correct={"what": "labels", "apart": {"x": 0}, "agree": True}),
        row("three", "s", {"x": [1]}, correct={"what": "c", "inside": {"x": 0.5}, "agree": False}),
        row("none", "s", {"x": [1]}),
    )
    found = cost.load_agreement()
    assert found["Furthest apart"].tolist() == ["0.02 (a)", "0", "50% inside (x)"]
    assert found["Agree"].tolist() == ["yes", "yes", "no"]


def test_parts_of_a_step(made):
    labels = ["float32", "mixed_bfloat16", "Keras float32", "Keras mixed_bfloat16"]
    details = {
        label: {"parts": dict.fromkeys(cost.PARTS, float(k + 1)), "augmentation": 0.5}
        for k, label in enumerate(labels)
    }
    made(
        row(
            "steps",
            "ms",
            {"float32": [90], "mixed_bfloat16": [50]},
            {"Keras float32": [110], "Keras mixed_bfloat16": [80]},
            details=details,
        )
    )
    found = cost.load_parts()
    assert found["whole"].to_dict() == {
        "Keras float32": 110, "ours float32": 90, "Keras mixed_bfloat16": 80,
        "ours mixed_bfloat16": 50,
    }  # fmt: skip
    assert found.loc["ours float32", "Adadelta"] == 1
    assert found.loc["Keras float32", "convolution 2"] == 3
    (axis,) = cost.plot_parts(found).axes
    ends = {round(bar.get_x() + bar.get_width(), 6) for bar in axis.patches}
    assert {8.0 * k for k in (1, 2, 3, 4)} <= ends


def test_growth_and_its_power(made):
    made(
        row(
            "size-growth",
            "images/s",
            {"6 × 8": [100], "3 × 4": [400], "12 × 16": [25]},
            ours_is="6 × 8",
        ),
        row("hidden-growth", "images/s", {"32": [10], "128": [5]}),
        row("svm-growth", "s", {"500": [1], "1000": [4]}),
    )
    size = cost.load_growth("size-growth")
    assert size["x"].tolist() == [12, 48, 192]
    assert size["seconds"].tolist() == [1 / 400, 1 / 100, 1 / 25]
    assert cost.slope(size) == pytest.approx(1)
    svm = cost.load_growth("svm-growth")
    assert svm["seconds"].tolist() == [1, 4]
    assert cost.slope(svm) == pytest.approx(2)
    figure = cost.plot_growth(size, cost.load_growth("hidden-growth"), svm)
    assert [line.get_ydata().tolist() for line in figure.axes[2].lines] == [[1, 4]]


def test_loss_curves(made):
    names = ["float32", "mixed_bfloat16", "seed 0", "seed 1"]
    details = {name: {"losses": [2.0 + k, 1.0 + k]} for k, name in enumerate(names)}
    made(
        row(
            "loss-curves",
            "loss",
            {"float32": [1], "mixed_bfloat16": [2]},
            {"seed 0": [3], "seed 1": [4]},
            details=details,
        )
    )
    found = cost.load_losses()
    assert found["epoch"].tolist() == [0.1, 0.2] * 4
    assert found.groupby("run")["stock"].first().to_dict() == {
        "float32": False, "mixed_bfloat16": False, "seed 0": True, "seed 1": True,
    }  # fmt: skip
    (axis,) = cost.plot_losses(found).axes
    assert len(axis.lines) == 4
    assert len(axis.get_legend().get_texts()) == 3


def test_the_study_adds_up_by_method_and_device(monkeypatch):
    def run(method, seconds, device="processor"):
        environment = {"device": device, "processor": "a chip, 2 cores"}
        return types.SimpleNamespace(
            config={"method": method}, environment=environment, seconds=seconds
        )

    runs = [run("NB", 36), run("DCLNN", 3600), run("DCLNN", 1800), run("DCLNN", 900, "a GPU")]
    monkeypatch.setattr(records, "read_all", lambda: runs)
    found = cost.load_study()
    assert found.values.tolist() == [
        ["DCLNN", "a chip, 2 cores", 2, "1.50", "60.0"],
        ["DCLNN", "a GPU", 1, "0.25", "15.0"],
        ["NB", "a chip, 2 cores", 1, "0.01", "0.6"],
        ["all", "", 4, "1.76", "60.0"],
    ]

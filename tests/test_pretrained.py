"""Baselines on wbc-by-cell: what a pretrained network sees, which C is chosen, what is refused."""

import importlib.util

import cv2
import numpy as np
import pytest
from conftest import CHECKOUT

from bloodlib.analyses import baselines, scoring
from bloodlib.data import images, stored

FILE = CHECKOUT / "benchmarks" / "pretrained.py"
SPEC = importlib.util.spec_from_file_location("benchmarks_pretrained", FILE)


@pytest.fixture
def script():
    found = importlib.util.module_from_spec(SPEC)
    SPEC.loader.exec_module(found)  # needs no torch before it computes features
    return found


@pytest.fixture
def drawn(script, monkeypatch):
    """A pale image with a violet cell of 40 pixels in diameter, its corner filled with black."""
    picture = np.full((240, 320, 3), (230, 215, 220), np.uint8)
    cv2.circle(picture, (300, 100), 20, (120, 60, 160), -1)
    picture[:60, :60] = (40, 0, 0)  # saturated, but filling
    monkeypatch.setattr(images, "picture", lambda split, name: picture)
    return picture


def violet(seen):
    down, across = np.nonzero((np.abs(seen.astype(int) - (120, 60, 160)) < 20).all(axis=-1))
    return across.mean(), down.mean(), len(across)


def test_a_cell_without_a_box_is_found_by_its_colour(script, drawn, monkeypatch):
    monkeypatch.setattr(
        script, "centres", lambda split: np.full((len(images.names(split)), 2), np.nan)
    )
    assert script.most_saturated(drawn) == pytest.approx((300, 100), abs=2)
    for view, (height, width) in baselines.VIEWS.items():
        assert script.see(view, 0).shape == (height, width, 3)
    across, down, size = violet(script.see("cell", 0))
    assert (across, down) == pytest.approx((64, 64), abs=3)  # at the edge too
    assert size == pytest.approx(np.pi * 20**2, rel=0.1)  # in its own size
    assert violet(script.see("cell-enlarged", 0))[2] == pytest.approx(
        size * (224 / 128) ** 2, rel=0.2
    )


def test_the_middle_of_the_box_is_that_of_the_image(script):
    middle = script.centres("TEST")
    known = ~np.isnan(middle).any(axis=1)
    assert known.mean() > 0.99
    assert np.median(middle[known], axis=0) == pytest.approx((160, 120), abs=10)
    assert (middle[known] >= 0).all()
    assert (middle[known] <= (320, 240)).all()


def test_the_smallest_of_the_best_settings_is_chosen():
    truth = images.labels("TRAIN")[:: baselines.STEP]
    tried = np.tile((truth + 1) % 4, (len(baselines.SETTINGS), 1))
    tried[[2, 3], :50] = truth[:50]
    assert baselines.choose(tried) == baselines.SETTINGS[2]


def test_what_is_missing_or_altered_is_refused(folders):
    with pytest.raises(stored.StoredError, match=r"python benchmarks/pretrained\.py"):
        baselines.read()
    raw = {"pretrained.npz": stored.pack({"cell_whole": np.zeros(3, np.uint8)})}
    stored.write(folders.results, "pretrained", raw, {})
    assert baselines.read()["cell_whole"].tolist() == [0, 0, 0]
    (folders.results / "pretrained.npz").write_bytes(b"altered")
    with pytest.raises(stored.StoredError, match="pretrained"):
        baselines.read()


@pytest.mark.parametrize(
    ("where", "splits"),
    [pytest.param("cell", ("TRAIN", "TEST"), marks=pytest.mark.long), ("TEST", ("TEST",))],
)
def test_stored_predictions_score_as_anybody_s(tmp_path, where, splits):
    names = [f"{split}/{name}" for split in splits for name in images.names(split)]
    labels = baselines.read()[f"{where}_cell"]
    rows = [f"{n},{images.CLASSES[k]}" for n, k in zip(names, labels, strict=True)]
    (tmp_path / "predicted.csv").write_text("\n".join(["image,predicted", *rows]) + "\n")
    found, own = scoring.score(tmp_path / "predicted.csv"), baselines.compute().iloc[-1]
    for end, key in (("", "accuracy"), ("_low", "low"), ("_high", "high")):
        assert own[where + end] == pytest.approx(found[key], abs=0.003)

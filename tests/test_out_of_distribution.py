"""The out-of-distribution score: what it measures, what it ignores, and what is stored of it."""

import numpy as np
import pytest

from bloodlib.analyses import out_of_distribution
from bloodlib.data import images, stored, synthetic
from bloodlib.models import weights
from bloodlib.study import records

pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def photograph():
    return synthetic.draw(1, np.random.default_rng(0), (480, 640))


def test_distances_are_those_of_scipy():
    from scipy.spatial.distance import mahalanobis

    rng = np.random.default_rng(0)
    reference = out_of_distribution.fit(rng.normal(size=(200, 64)), np.arange(200))
    others = rng.normal(size=(5, 64))
    want = [mahalanobis(one, reference["mean"], reference["precision"]) for one in others]
    np.testing.assert_allclose(out_of_distribution.distance(others, reference), want)


def test_the_threshold_is_of_cells_that_the_reference_has_not_seen():
    """Twenty photographs of each cell: what was learned from the others does not know it."""
    rng = np.random.default_rng(0)
    cells = np.repeat(np.arange(20), 20)
    features = rng.normal(size=(20, 64))[cells] * 3 + rng.normal(size=(400, 64))
    reference = out_of_distribution.fit(features, cells)
    own = out_of_distribution.distance(features, reference)
    assert np.median(reference["distances"]) > 1.2 * np.median(own)


def test_corners_do_not_count(photograph):
    """All that lies outside of the middle may be black."""
    pixels = images.resize(photograph)[None].copy()
    dark = pixels.copy()
    dark[:, :9] = dark[:, -9:] = dark[:, :, :13] = dark[:, :, -13:] = 0
    np.testing.assert_allclose(weights.features(dark), weights.features(pixels), atol=1e-5)


def test_what_is_stored_knows_the_training_slides_from_another_laboratory():
    flags = out_of_distribution.compute_flags().set_index("set")["flagged"]
    own = list(out_of_distribution.SETS.values())
    assert (flags[own[:4]] < 0.06).all()
    assert flags["PBC"] > 0.95
    assert flags[own[5]] < flags["PBC"]  # as scaled and stained as TRAIN
    same, n = out_of_distribution.compute_agreement()
    assert n == len(images.names("TEST"))
    assert same >= 0.95


def test_it_separates_better_than_the_maximum_softmax():
    found = out_of_distribution.compute_auroc(draws=20).set_index("score")
    assert found["elsewhere"].idxmax() == "Mahalanobis distance"
    assert found["wrong"].idxmax() == "maximum softmax"
    for name in ("elsewhere", "wrong"):
        assert (found[f"{name}_low"] <= found[name]).all()
        assert (found[name] <= found[f"{name}_high"]).all()


@pytest.mark.parametrize("kind", list(out_of_distribution.ALTERED))
def test_spoilt_pictures_have_a_white_cell_or_none(photograph, kind):
    spoilt = np.ascontiguousarray(out_of_distribution.ALTERED[kind](photograph))
    pixels = images.resize(spoilt)[None]
    without = kind in ("no white cell", "blank field", "white", "black")
    assert out_of_distribution.shows_a_cell(pixels)[0] != without


def test_a_damaged_reference_is_refused(folders):
    records.save_measured(out_of_distribution.NAME, {"mean": np.zeros(6)}, {}, stored.Clock())
    with pytest.raises(stored.StoredError, match="bloodlib measure out-of-distribution"):
        out_of_distribution.load_reference()


def test_sizes_are_measured_or_said_not_to_be(photograph):
    usual = np.array([0.26, 0.14])
    found = out_of_distribution.measure_sizes(np.full((60, 80, 3), 200, np.uint8), usual)
    assert set(found.values()) == {None}
    found = out_of_distribution.measure_sizes(photograph, usual)
    assert 0.1 < found["white_cell"] / 640 < 0.6

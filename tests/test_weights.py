"""Files of weights: what is written answers as the network that was trained."""

import functools
import subprocess
import sys

import numpy as np
import pytest

from bloodlib import cli
from bloodlib.analyses import prediction
from bloodlib.data import images, stored, synthetic
from bloodlib.models import networks, training, weights
from bloodlib.study import records

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def trained(task, pooling="max", hidden=16):
    """A small network that answers decidedly, and its record; its checkpoint is in the cache."""
    model = networks.build_dclnn(len(images.TASKS[task]), pooling, hidden, seed=5)
    rng = np.random.default_rng(5)
    kept = [w if w.ndim > 1 else rng.normal(0, 0.05, w.shape) for w in model.get_weights()]
    kept[6] = kept[6] * 40
    model.set_weights(kept)
    kept[7] = kept[7] - np.log(answers(model, drawn()) + 1e-6).mean(axis=0)  # no favourite class
    model.set_weights(kept)
    content = {
        "id": f"DCLNN-{task}-0123456789",
        "config": {"task": task, "pooling": pooling, "hidden": hidden, "hidden_dropout": 0.5},
        "data": "d" * 40,
        "weights": training.weights_hash(model.get_weights()),
        "environment": {"commit": "c" * 40},
    }
    put(content["id"], model.get_weights())
    return model, records.Record(records.folder() / f"{content['id']}.json", content)


def checkpoint(name):
    return stored.cache_folder() / "checkpoints" / f"{name}.npz"


def put(name, arrays):
    checkpoint(name).parent.mkdir(parents=True, exist_ok=True)
    np.savez(checkpoint(name), **{f"weight_{i}": array for i, array in enumerate(arrays)})


@functools.cache
def drawn():
    return synthetic.load("TEST", n=40).pixels


@pytest.fixture
def pixels():
    return drawn()


@pytest.fixture
def written(folders, keras):
    """The file of a small network for four classes."""
    model, record = trained("four")
    weights.export(record, weights.path("four"))
    return model, record


def answers(model, pixels):
    return np.asarray(model.predict(pixels.astype(np.float32), verbose=0))


# --------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("pooling", ["max", "average"])
@pytest.mark.parametrize("task", images.TASKS)
def test_a_file_answers_as_its_network(folders, keras, pixels, task, pooling):
    model, record = trained(task, pooling)
    weights.export(record, weights.path(task))
    found, expected = weights.predict(task, pixels, batch_size=7), answers(model, pixels)
    assert len(set(expected.argmax(axis=1))) > 1
    assert expected.max() - expected.min() > 0.5
    second, first = np.sort(expected, axis=1)[:, -2:].T
    clear = first - second > 2 * prediction.TOLERANCE
    assert clear.sum() > 20
    np.testing.assert_array_equal(found[clear].argmax(axis=1), expected[clear].argmax(axis=1))
    np.testing.assert_allclose(found, expected, atol=prediction.TOLERANCE)
    np.testing.assert_allclose(answers(weights.load(task), pixels), found, atol=1e-4)


@pytest.mark.parametrize("shape", [(60, 80, 3), (2, 80, 60, 3), (2, 240, 320, 3)])
def test_images_of_another_shape_are_refused(written, shape):
    with pytest.raises(ValueError, match=r"give \[n, 60, 80, 3\]"):
        weights.predict("four", np.zeros(shape, np.uint8))


def test_a_file_is_sound_and_the_same_bytes_each_time(written):
    file = weights.path("four")
    before = file.read_bytes()
    onnx.checker.check_model(onnx.load(file), full_check=True)
    weights.export(written[1], file)
    assert file.read_bytes() == before


# ---------------------------------------------------------------------------------------- refused


def other(model, record):
    arrays = model.get_weights()
    arrays[1][3] += np.float32(1e-6)
    put(record.id, arrays)


def cut(kept):
    def harm(model, record):
        raw = checkpoint(record.id).read_bytes()
        checkpoint(record.id).write_bytes(raw[:kept])

    return harm


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda model, record: checkpoint(record.id).unlink(), r"0123456789\.npz can't be read"),
        (other, "does not hold the weights of DCLNN-four-0123456789"),
        (cut(0), "no plain arrays"),
        (lambda model, record: put(record.id, model.get_weights()[:-1]), "does not hold"),
    ],
)
def test_a_checkpoint_that_is_none_is_refused(folders, keras, harm, said):
    model, record = trained("four")
    harm(model, record)
    with pytest.raises(stored.StoredError, match=said) as caught:
        weights.export(record, weights.path("four"))
    assert not weights.path("four").exists()
    assert f"`bloodlib study --only {record.id}`" in str(caught.value)


def flipped(raw, place):
    place = int(place * len(raw))
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def forged(raw):
    """A file whose checksum was changed."""
    digest = {p.key: p.value for p in onnx.load_model_from_string(raw).metadata_props}["sha256"]
    return raw.replace(digest.encode(), digest[::-1].encode())


DAMAGE = {
    "empty": lambda raw: b"",
    "cut": lambda raw: raw[:-1000],
    "one bit of a weight": lambda raw: flipped(raw, 0.5),
    "a class name": lambda raw: raw.replace(b"MONOCYTE", b"MONOCYTD"),
    "the checksum": forged,
    "a page": lambda raw: b"<html>not found</html>",
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("use", [weights.read, weights.load, "predict"])
def test_a_damaged_file_is_refused(written, pixels, damage, use):
    file = weights.path("four")
    raw = file.read_bytes()
    file.write_bytes(DAMAGE[damage](raw))
    assert file.read_bytes() != raw
    with pytest.raises(stored.StoredError, match=r"damaged|not the file") as caught:
        weights.predict("four", pixels) if use == "predict" else use("four")
    assert str(file) in str(caught.value)
    assert "`bloodlib weights --write`" in str(caught.value)


def test_a_file_that_is_not_there(folders, capsys):
    assert cli.main(["weights"]) == 1
    said = capsys.readouterr().err
    assert str(weights.path("four")) in said
    assert "'git checkout results'" in said


# ---------------------------------------------------------------------------- against the record


@pytest.fixture
def compared(written, pixels, monkeypatch):
    """The small network's record, with what its file answers, and the images it is asked about."""
    _, record = written
    chances = weights.predict("four", pixels)
    record.__dict__["arrays"] = {
        "labels": chances.argmax(axis=1).astype(np.uint8)[None],
        "labels_simple": chances.argmax(axis=1).astype(np.uint8),
        "probabilities": chances.astype(np.float16),
        "probabilities_simple": (chances + 0.01).astype(np.float16),
    }
    monkeypatch.setattr(prediction, "recorded", lambda task: record)
    shown = images.Images(pixels, None, None)
    monkeypatch.setattr(images, "load", lambda split: shown)
    monkeypatch.setattr(images, "names", lambda split: [f"{i}.jpeg" for i in range(40)])
    return record


def test_a_file_is_compared_with_its_record(compared):
    found = prediction.check("four")
    assert found["images"] == 80
    assert found["furthest"] == pytest.approx(0.01, abs=1e-3)


def another_class(record):
    kept = record.arrays["labels_simple"]
    kept[17] = (kept[17] + 1) % 4


def another_probability(record):
    record.arrays["probabilities"][3] += np.float16([0.03, 0, 0, 0])


def another_record(record):
    record.content["weights"] = "0" * 64


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (another_class, r"1 images of TEST.* another class .* 17\.jpeg"),
        (another_probability, r"off by up to 0\.0[34]"),
        (another_record, "is not of DCLNN-four-0123456789"),
    ],
)
def test_a_file_that_does_not_answer_as_its_record_is_found(compared, alter, said):
    alter(compared)
    with pytest.raises(stored.StoredError, match=said):
        prediction.check("four")


# -------------------------------------------------------------------------------- the frozen files


@pytest.mark.parametrize("task", images.TASKS)
def test_the_frozen_file_is_that_of_the_record(task):
    record, made = prediction.recorded(task), weights.read(task)[2]
    assert weights.path(task).stat().st_size < 10_000_000
    assert (made["record"], made["weights"]) == (record.id, record.weights)
    assert made["config"].items() <= record.config.items()  # what it said then
    assert made["data"] == record.data
    assert made["environment"] == record.environment


def test_predicting_needs_no_keras():
    code = """
import sys
import numpy as np
from bloodlib.models import weights
found = weights.predict("two", np.zeros((3, 60, 80, 3), np.uint8))
assert found.shape == (3, 2) and abs(found.sum(axis=1) - 1).max() < 1e-5
print(sorted({"keras", "tensorflow", "jax", "torch"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
@pytest.mark.parametrize("task", images.TASKS)
def test_the_frozen_file_answers_as_the_record_on_all_images(task):
    found = prediction.check(task)
    assert found["images"] == 2487 + 71
    assert found["furthest"] < prediction.TOLERANCE

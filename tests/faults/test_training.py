"""Training that is killed, diverges or has no backend."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from chance import full_disk
from made_up import posix
from networks import BACKENDS, assert_same, drawn, outcome, put_images, start, train

from bloodlib import study
from bloodlib.models import networks, training
from bloodlib.study import records

# ----------------------------------------------------------------------- when it goes wrong


@pytest.mark.parametrize("batch_size", [8, 32])  # in the middle of an epoch, in its last step
def test_a_loss_that_is_no_number_stops(keras, tmp_path, batch_size):
    with pytest.raises(FloatingPointError, match=r"(nan|inf) in epoch 1"):
        train(tmp_path, epochs=3, optimizer="SGD", learning_rate=1e10, batch_size=batch_size)
    assert not list(tmp_path.iterdir())


def test_a_loss_that_is_no_number_is_recorded(keras, tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path))
    config = {
        **{"method": "DCLNN", "task": "two", "images": "drawn", "images_per_class": 5},
        **{"epochs": 2, "hidden": 8, "optimizer": "SGD", "learning_rate": 1e10},
    }
    with pytest.raises(study.RunError, match="failed: FloatingPointError"):
        study.compute(config)
    record = records.read(tmp_path / "runs" / f"{study.identify(config)}.json")
    assert record.status == "failed"
    assert "FloatingPointError: the loss became" in record.reason


@pytest.fixture(scope="module")
def unbroken(keras, tmp_path_factory):
    return outcome(train(tmp_path_factory.mktemp("unbroken"), epochs=2))


def altered(raw):
    """A bit of a weight is another one."""
    place = len(raw) // 2
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


@pytest.mark.parametrize("harm", [altered, lambda raw: raw[:-100], lambda raw: b""])
def test_training_starts_anew_where_the_checkpoint_is_damaged(unbroken, tmp_path, harm):
    train(tmp_path, epochs=1)
    file = tmp_path / "checkpoint.npz"
    file.write_bytes(harm(file.read_bytes()))
    with pytest.warns(UserWarning, match=r"checkpoint\.npz is damaged .*starts anew"):
        assert_same(outcome(train(tmp_path, epochs=2)), unbroken)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        train(tmp_path, epochs=2)  # it was replaced


# ------------------------------------------------------------------- other processes, backends

RUN = """
found = networks.dclnn(data, "four", 3, folder / sys.argv[2] / "checkpoint.npz",
                    epochs=3, hidden=16, batch_size=8, learning_rate=0.1)
arrays = {k: v for k, v in vars(found).items() if isinstance(v, np.ndarray)}
losses = {f"history_{k}": found.history[k] for k in ("loss", "val_loss")}
np.savez(folder / sys.argv[2] / "outcome.npz", weights=found.weights, **arrays, **losses)
"""
AFTER_SAVING = """
save = training._save
def _save(*given):
    save(*given)
    die()
training._save = _save
"""
IN_AN_EPOCH = """
ahead = training._ahead
def _ahead(batches):
    for step, batch in enumerate(ahead(batches)):
        if step == 1:
            die()
        yield batch
training._ahead = _ahead
"""
WHILE_SAVING = """
savez = np.savez
def half(file, **arrays):
    whole = io.BytesIO()
    savez(whole, **arrays)
    file.write(whole.getvalue()[: len(whole.getvalue()) // 2])
    file.flush()
    die()
np.savez = half
"""
#: What kills a run, in the order in which one run is killed, and the epochs it then has.
DEATHS = {
    "in the middle of the first epoch": (IN_AN_EPOCH, 0),
    "while the first checkpoint is written": (WHILE_SAVING, 0),
    "after the first checkpoint": (AFTER_SAVING, 1),
    "in the middle of the second epoch": (IN_AN_EPOCH, 1),
    "while the second checkpoint is written": (WHILE_SAVING, 1),
    "after the second checkpoint": (AFTER_SAVING, 2),
    "in the middle of the last epoch": (IN_AN_EPOCH, 2),
    "after the last checkpoint": (AFTER_SAVING, 3),
}
FEW = list(DEATHS)[2:4]


@pytest.mark.long
@pytest.mark.parametrize(
    ("backend", "deaths"), [(name, FEW) for name in BACKENDS[1:]] + [("tensorflow", list(DEATHS))]
)
def test_killed_anywhere_a_run_ends_as_the_unbroken_one(backend, deaths, tmp_path, record_property):
    put_images(tmp_path, drawn())
    whole = start(backend, RUN, tmp_path, "whole")
    assert whole.returncode == 0, whole.stderr
    # quiet: nothing printed, and on stderr nothing but the bar
    assert whole.stdout == ""
    lines = [line for line in whole.stderr.replace("\r", "\n").splitlines() if line.strip()]
    assert all(line.startswith("DCLNN four max seed 3:") for line in lines), whole.stderr
    assert "100%" in lines[-1]

    for where in deaths:
        patch, epochs = DEATHS[where]
        ended = start(backend, patch + RUN, tmp_path, "broken")
        assert ended.returncode in (-9, 15), (where, ended.returncode, ended.stderr[-2000:])
        assert not (tmp_path / "broken" / "outcome.npz").exists()
        checkpoint = tmp_path / "broken" / "checkpoint.npz"
        assert checkpoint.exists() == (epochs > 0), where
        if epochs:
            with np.load(checkpoint) as state:
                assert len(state["loss"]) == epochs, where
    finished = start(backend, RUN, tmp_path, "broken")
    assert finished.returncode == 0, finished.stderr
    assert "damaged" not in finished.stderr

    one, other = (dict(np.load(tmp_path / name / "outcome.npz")) for name in ("whole", "broken"))
    assert len(one["history_loss"]) == len(one["labels"]) == len(one["confusion_train"]) == 3
    assert len(str(one["weights"])) == 64
    assert_same(one, other)
    # no unfinished file outlives the run
    assert [p.name for p in (tmp_path / "broken").glob("checkpoint*")] == ["checkpoint.npz"]
    record_property("times", len(deaths))


@pytest.mark.parametrize("backend", ["nonsense", *BACKENDS])
def test_a_backend_that_is_not_installed_says_what_to_install(backend):
    if backend in BACKENDS and importlib.util.find_spec(backend):
        pytest.skip(f"{backend} is installed")
    ended = subprocess.run(
        [sys.executable, "-c", "from bloodlib.models import training; training.load_keras()"],
        env=os.environ
        | {"KERAS_BACKEND": backend, "PYTHONPATH": str(Path(networks.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    said = ended.stderr.splitlines()[-1]
    assert said.startswith(f"ImportError: KERAS_BACKEND is {backend!r}")
    install = training.INSTALL.get(backend, "Choose one of tensorflow, jax, torch")
    assert install in said


@posix
def test_a_disk_full_at_a_checkpoint(unbroken, tmp_path):
    """The epochs before it are kept, and the run goes on from them."""
    train(tmp_path, epochs=1)
    kept = (tmp_path / "checkpoint.npz").read_bytes()
    with full_disk(len(kept) // 2), pytest.raises(OSError, match="too large"):
        train(tmp_path, epochs=2)
    assert (tmp_path / "checkpoint.npz").read_bytes() == kept
    assert not list(tmp_path.glob("*.tmp"))
    assert_same(outcome(train(tmp_path, epochs=2)), unbroken)

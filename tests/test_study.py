"""From ``study.yml`` to records: what is run, what is refused, what is never run twice."""

import contextlib
import json
import os
import re
import time

import numpy as np
import pytest
from chance import at_once
from conftest import CHECKOUT, FAKE, answer

from bloodlib import cli, study
from bloodlib.data import images, stored
from bloodlib.data.images import SPLITS
from bloodlib.models import methods
from bloodlib.study import records

#: The smallest images a run may have: 20 drawn cells to learn from, 5 to be tried on.
DRAWN = {"images": "drawn", "images_per_class": 5}

SMALL = """\
profiles:
  quick: {images_per_class: 5, epochs: 2}
  full: {}
runs:
  - {method: NB, task: [four, two]}
  - {method: fake, task: two, depth: [1, 2, 3], epochs: 9}
"""


def blank():
    """Data as large as the published, with the published labels, and no pictures."""
    labels = {t: {s: images.labels(s, t) for s in SPLITS} for t in images.TASKS}
    pixels = {s: np.zeros((len(labels["four"][s]), 1, 1, 3), np.uint8) for s in SPLITS}
    return methods.Data(pixels, labels, images.DATA_HASH)


@pytest.fixture
def published(monkeypatch):
    """The published images are at hand, without their pictures."""
    data = blank()

    drawn = study.load

    def load(source, images_per_class, *held_out):
        if source == "drawn":
            return drawn(source, images_per_class, *held_out)
        return data.head(images_per_class) if images_per_class else data

    load.cache_clear = lambda: None
    monkeypatch.setattr(study, "load", load)


# --------------------------------------------------------------------------------- resolve


def test_a_resolved_configuration_has_every_setting(fake):
    assert study.resolve({"method": "fake", "task": "two", "rate": 1}) == {
        "method": "fake",
        "task": "two",
        "seed": 0,
        "images": "published",
        "images_per_class": None,
        "split_by": "published",
        "fold": 0,
        "resize": "averaged",
        "depth": 3,
        "rate": 1.0,
        "epochs": 1,
    }


# -------------------------------------------------------------------------------- identify


def test_an_id_depends_on_what_matters_only(fake):
    ident = study.identify(FAKE)
    assert re.fullmatch(r"fake-four-[0-9a-f]{10}", ident)
    for same in ({"epochs": 7}, {"depth": 3}, {"seed": 0}, {"rate": 0.5}):
        assert study.identify(FAKE | same) == ident
    others = [
        {"task": "two"},
        {"seed": 1},
        {"depth": 4},
        {"rate": 1},
        {"images": "published"},
        {"images_per_class": 6},
        {"images_per_class": None},
        {"images": "published", "resize": "sampled"},
    ]
    assert len({ident, *(study.identify(FAKE | other) for other in others)}) == 1 + len(others)


def test_the_images_themselves_are_part_of_the_id(fake, monkeypatch):
    config = {"method": "fake", "task": "four"}
    for given, module, name, value in (
        (config, images, "DATA_HASH", "0" * 40),
        (config | {"images_per_class": 5}, images, "DATA_HASH", "0" * 40),
        (FAKE, study.synthetic, "VERSION", -1),
    ):
        before = study.identify(given)
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            assert study.identify(given) != before


def test_a_description_names_what_differs(fake):
    assert study.describe({"method": "fake", "task": "two"}) == "fake two"
    assert study.describe({"method": "fake", "task": "two", "seed": 3, "rate": 2}) == (
        "fake two, seed 3, rate 2.0"
    )


# ------------------------------------------------------------------------ profiles and runs


def test_profiles_change_the_scale_only(fake, checkout):
    checkout(SMALL)
    config = {"method": "fake", "task": "two", "depth": 4, "epochs": 9}
    full = study.resolve(config)
    assert study.resolve(config, "full") == study.resolve(full) == full
    assert study.resolve(config, "quick") == full | {"images_per_class": 5}  # epochs were given
    del config["epochs"]
    assert study.resolve(config, "quick") == full | {"images_per_class": 5, "epochs": 2}
    assert {c.get("epochs", 2) for c in study.grid("quick")} == {2}
    naive = {"method": "NB", "task": "two"}
    assert study.resolve(naive, "quick") == study.resolve(naive | {"images_per_class": 5})


def test_an_unknown_profile_is_refused(fake):
    with pytest.raises(ValueError, match=r"no profile 'ful'\. Did you mean 'full'\?"):
        study.run(FAKE, "ful")
    assert not fake.calls


def test_runs_multiply_lists_out(fake, checkout):
    checkout(SMALL)
    listed = study.runs()
    assert [(c["method"], c["task"], c.get("depth"), c.get("epochs")) for c in listed] == [
        ("NB", "four", None, None),
        ("NB", "two", None, None),
        ("fake", "two", 1, 9),
        ("fake", "two", 2, 9),
        ("fake", "two", 3, 9),
    ]
    assert all(study.resolve(config) == config for config in listed)


def test_a_misspelt_setting_in_study_yml_is_refused(fake, checkout):
    checkout(SMALL.replace("depth", "deep"))
    with pytest.raises(ValueError, match="fake has no setting 'deep'"):
        study.runs()


def test_study_yml_of_this_book(folders):
    """It resolves, no run is listed twice, and the paper's methods are all there."""
    listed = study.runs()
    assert len({study.identify(config) for config in listed}) == len(listed)
    for method in ("NB", "SVM", "DCLNN"):
        assert {c["task"] for c in listed if c["method"] == method} == set(images.TASKS)
    for profile in study.PROFILES:
        assert len([study.resolve(config, profile) for config in listed]) == len(listed)


def test_every_frozen_record_is_found_by_its_id():
    found = records.read_all(CHECKOUT / "results" / "runs")
    assert len(found) > 300
    for record in found:
        assert study.identify(record.config) == record.id
        assert study.path(record.config) == record.path
    listed = {study.identify(config) for config in study.runs()}
    assert {record.id for record in found} <= listed


def test_the_hours_of_a_missing_run_are_those_of_recorded_ones_like_it():
    short = {"method": "DCLNN", "task": "four", "precision": "mixed_bfloat16"}
    whole, long, quick = (
        study.estimate_hours(short | more)
        for more in ({"seed": 99}, {"epochs": 100}, {"images_per_class": 400})
    )
    seconds = [run.seconds for run in study.select(method="DCLNN", precision="mixed_bfloat16")]
    assert min(seconds) / 3600 < whole < max(seconds) / 3600
    assert long == pytest.approx(4 * whole)
    assert quick is None


def test_a_readers_own_runs_are_those_that_study_yml_does_not_list(
    fake, checkout, folders, published, monkeypatch
):
    checkout(SMALL)
    listed, own = {"method": "fake", "task": "two", "depth": 2}, {"method": "fake", "task": "two"}
    for config in (listed | {"epochs": 9}, own | {"depth": 5}, FAKE, FAKE | {"depth": 9}):
        study.compute(config)
    damaged = study.path(FAKE | {"depth": 9})
    damaged.write_text("{")  # no page fails of what can be made again
    drawn, whole = study.identify(FAKE), study.identify(own | {"depth": 5})
    assert {run.id for run in study.unlisted()} == {drawn, whole}
    monkeypatch.setenv("BLOODLIB_PUBLISH", "1")
    assert [run.id for run in study.unlisted()] == [whole]


# ------------------------------------------------------------------------------- run, compute


def test_a_run_is_computed_once(fake, folders):
    first = study.run(FAKE, "full")
    again = study.run(FAKE, "full")
    assert len(fake.calls) == 1
    assert again.content == first.content
    for name, array in first.arrays.items():
        assert np.array_equal(again.arrays[name], array)
    records.check(again)


def test_a_record_holds_the_truth_and_every_setting(fake, folders):
    record = study.compute(FAKE | {"seed": 5, "depth": 1, "rate": 2, "epochs": 3})
    assert fake.calls == [{"seed": 5, "depth": 1, "rate": 2.0, "epochs": 3}]
    assert record.config == study.resolve(FAKE | {"seed": 5, "depth": 1, "rate": 2.0, "epochs": 3})
    assert record.id == study.identify(record.config)
    data = study.load("drawn", 5)
    assert record.data == data.hash
    assert np.array_equal(record.arrays["truth"], data.labels["four"]["TEST"])
    assert np.array_equal(record.arrays["truth_simple"], data.labels["four"]["TEST_SIMPLE"])
    assert record.epochs == 3
    assert (record.status, record.reason, record.seconds) == ("complete", "", 1.5)
    assert record.environment["packages"]["numpy"] == np.__version__


def test_a_run_computed_again_says_what_differs(fake, folders, monkeypatch):
    record = study.compute(FAKE | {"epochs": 2})

    def method(data, task, seed, checkpoint, *, depth: int = 3, rate: float = 0.5, epochs: int = 1):
        found = answer(data, task, epochs, seed=1)
        found.labels[0, :2] ^= 1
        found.confusion_train = np.zeros((2, 4, 4), np.int32)
        return found

    before = record.path.read_bytes()
    monkeypatch.setitem(methods.METHODS, "fake", method)
    assert study.repeat(record) == [
        "confusion_train has another shape",
        "labels: 2 of 10 entries differ, by up to 1",
    ]
    assert record.path.read_bytes() == before


def test_recorded_never_computes(fake, folders, checkout):
    checkout(SMALL)
    with pytest.raises(stored.MissingError) as caught:
        study.run(FAKE)
    assert f"`bloodlib study --only {study.identify(FAKE)}`" in str(caught.value)
    assert "fake four" in str(caught.value)
    assert not fake.calls
    assert not list(folders.cache.rglob("*"))  # not even a lock
    study.run(FAKE, "full")
    assert study.run(FAKE).id == study.identify(FAKE)
    assert len(fake.calls) == 1


def test_the_command_that_a_missing_record_names_makes_it(fake, checkout, published):
    checkout(SMALL)
    config = {"method": "fake", "task": "two", "depth": 2, "epochs": 9}
    with pytest.raises(stored.MissingError) as caught:
        study.run(config)
    command = re.search(r"`bloodlib (.+?)`", str(caught.value)).group(1)
    assert cli.main(command.split()) == 0
    assert study.run(config).epochs == 9
    assert len(fake.calls) == 1


def test_a_damaged_record_is_neither_returned_nor_computed_anew(fake, folders):
    record = study.compute(FAKE)
    record.path.write_text("{")
    for profile in ("recorded", "full"):
        with pytest.raises(stored.StoredError, match=record.path.name):
            study.run(FAKE, profile)
    assert len(fake.calls) == 1


def test_a_failure_is_recorded_and_tried_again(fake, folders):
    fake.error = ZeroDivisionError("by zero")
    with pytest.raises(study.RunError, match=r"fake four.*failed: ZeroDivisionError: by zero"):
        study.compute(FAKE)
    record = study.recorded(FAKE)
    assert record.status == "failed"
    assert re.search(r"ZeroDivisionError: by zero \(conftest.py:\d+\)", record.reason)
    records.check(record)
    fake.error = None
    assert study.compute(FAKE).status == "complete"
    assert len(fake.calls) == 2


def test_an_infeasible_run_is_recorded_and_not_tried_again(fake, folders):
    fake.error = methods.InfeasibleError("nu is too large")
    for _ in range(2):
        with pytest.raises(study.RunError, match="infeasible: nu is too large"):
            study.compute(FAKE)
    assert len(fake.calls) == 1
    assert study.recorded(FAKE).status == "infeasible"


def test_an_extension_that_fails_leaves_the_record_that_there_was(fake, folders):
    short = study.compute(FAKE | {"epochs": 2})
    fake.error = MemoryError("too little")
    with pytest.raises(study.RunError, match="failed: MemoryError: too little"):
        study.compute(FAKE | {"epochs": 3})
    kept = study.recorded(FAKE | {"epochs": 2})
    assert kept.content == short.content
    records.check(kept)


def test_predictions_that_make_no_record_are_a_failed_run(fake, folders, monkeypatch):
    def method(data, task, seed, checkpoint):
        found = answer(data, task)
        found.probabilities[0, 0] = np.nan
        return found

    monkeypatch.setitem(methods.METHODS, "fake", method)
    with pytest.raises(study.RunError, match=r"failed: StoredError: .*do not sum to 1"):
        study.compute(FAKE)
    assert study.recorded(FAKE).status == "failed"
    assert not list((folders.cache / "runs").glob("*.npz"))


def test_an_interruption_records_nothing(fake, folders):
    fake.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        study.compute(FAKE)
    assert study.recorded(FAKE) is None
    fake.error = None
    assert study.compute(FAKE).status == "complete"


def test_a_run_is_extended_under_its_id(fake, folders):
    short = study.compute(FAKE | {"epochs": 2})
    assert study.recorded(FAKE | {"epochs": 3}) is None
    with pytest.raises(stored.MissingError):
        study.run(FAKE | {"epochs": 3})
    long = study.compute(FAKE | {"epochs": 3})
    assert (short.epochs, long.epochs, long.id) == (2, 3, short.id)
    assert long.config["epochs"] == 3
    assert [call["epochs"] for call in fake.calls] == [2, 3]
    # who needs fewer has them
    assert study.compute(FAKE | {"epochs": 2}).epochs == 3
    assert len(fake.calls) == 2
    assert len(list((folders.cache / "runs").glob("*.npz"))) == 1


def test_what_is_not_the_whole_published_dataset_is_never_frozen(fake, folders, published):
    frozen = study.compute({"method": "fake", "task": "two"})
    assert frozen.path.parent == folders.results / "runs" == records.folder()
    records.check(frozen)
    part = study.compute({"method": "fake", "task": "two", "images_per_class": 5})
    assert part.path.parent == folders.cache / "runs"
    assert study.compute(FAKE).path.parent == folders.cache / "runs"  # drawn
    assert [path.stem for path in records.folder().glob("*.json")] == [frozen.id]


def test_selecting_frozen_records(fake, folders, published):
    for depth in (1, 2):
        for task in images.TASKS:
            study.compute({"method": "fake", "task": task, "depth": depth})
    fake.error = ValueError("no")
    with contextlib.suppress(study.RunError):
        study.compute({"method": "fake", "task": "two", "depth": 7})
    assert len(study.select()) == 4
    assert [r.config["depth"] for r in study.select(method="fake", depth=2)] == [2, 2]
    (only,) = study.select(task="two", depth=1)
    assert (only.config["task"], only.config["depth"]) == ("two", 1)
    assert study.select(method="NB") == []


# ------------------------------------------------------------------------------------ images


def test_drawn_images_of_a_run(folders):
    data = study.load("drawn", 8)
    assert data.pixels["TRAIN"].shape == (32, 60, 80, 3)
    counts = {s: np.bincount(data.labels["four"][s], minlength=4).tolist() for s in SPLITS}
    assert counts == {"TRAIN": [8] * 4, "TEST": [2] * 4, "TEST_SIMPLE": [1] * 4}
    for split in SPLITS:
        names = np.array(images.CLASSES)[data.labels["four"][split]]
        nuclei = np.array(images.TASKS["two"])[data.labels["two"][split]]
        assert {name: set(nuclei[names == name]) for name in images.CLASSES} == {
            "NEUTROPHIL": {"Polynuclear"},
            "EOSINOPHIL": {"Polynuclear"},
            "MONOCYTE": {"Mononuclear"},
            "LYMPHOCYTE": {"Mononuclear"},
        }
    assert study.load("drawn", 8) is data


def test_naive_bayes_on_drawn_images(folders):
    record = study.run({"method": "NB", "task": "two", **DRAWN, "images_per_class": 12}, "full")
    records.check(record)
    assert record.arrays["labels"].shape == (1, 12)
    assert record.environment["device"] == "processor"


# -------------------------------------------------------------------------------- at one time


def race(log):
    @methods.method("fake")
    def fake(data, task, seed, checkpoint, *, depth: int = 3):
        with log.open("a") as file:
            print(os.getpid(), file=file)
        time.sleep(0.5)
        return answer(data, task, seed=os.getpid())

    study.load("drawn", 5)
    return lambda: study.compute(FAKE)


@pytest.mark.long
def test_processes_at_one_run_compute_it_once(folders, tmp_path):
    assert at_once(race, tmp_path / "log", n=3) == [0, 0, 0]
    assert len((tmp_path / "log").read_text().split()) == 1


# --------------------------------------------------------------------------- a method is added


# ---------------------------------------------------------------------------- the real images


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_a_full_run_equals_its_frozen_record(monkeypatch, tmp_path):
    config = {"method": "NB", "task": "two"}
    path = records.folder() / f"{study.identify(config)}.json"
    assert path.is_file(), f"the frozen record {path.name} is missing from {path.parent}"
    frozen = records.read(path)
    records.check(frozen)
    monkeypatch.setenv("BLOODLIB_RESULTS", str(tmp_path))
    record = study.run(config, "full")
    assert record.path.parent == tmp_path / "runs"
    assert record.path != frozen.path
    assert set(record.arrays) == set(frozen.arrays)
    for name, array in frozen.arrays.items():
        if name.startswith("probabilities"):
            np.testing.assert_allclose(record.arrays[name], array, atol=2e-3)
        else:
            np.testing.assert_array_equal(record.arrays[name], array)
    assert record.config == study.resolve(frozen.config)  # settings added since, at their defaults
    assert frozen.config.items() <= record.config.items()
    assert record.data == frozen.data


# ------------------------------------------------------------------- defaults that are changed


def test_a_changed_default_relabels_no_record(monkeypatch):
    """Records of before a setting was added keep the value that it had; so do all ids."""
    runs = study.select(method="DCLNN")
    old = [r for r in runs if "activation" not in json.loads(r.path.read_text())["config"]]
    assert old

    usual = methods.METHODS["DCLNN"].__kwdefaults__
    monkeypatch.setitem(usual, "activation", "tanh")
    for run in old:
        again = records.read(run.path)
        study.check(again)
        assert again.config["activation"] == "relu"
    new = study.resolve({"method": "DCLNN", "task": "four"})
    assert new["activation"] == "tanh"
    assert study.identify(new) not in {run.id for run in runs}


def test_a_record_that_lacks_a_setting_of_no_stored_default_is_refused(fake, folders):
    record = study.compute(FAKE)
    content = json.loads(record.path.read_text())
    del content["config"]["rate"]
    record.path.write_text(json.dumps(content))
    with pytest.raises(stored.StoredError, match="doesn't say its rate"):
        study.recorded(FAKE)


def test_every_setting_of_our_methods_has_a_stored_default():
    """A setting that is added needs one, which ids and older records keep."""
    file = CHECKOUT / "bloodlib" / "study" / "defaults.json"
    (stored,) = json.loads(file.read_text()).values()
    assert stored.pop("every run").keys() == study.COMMON.keys()
    for method, known in stored.items():
        assert known.keys() == methods.defaults(method).keys(), method


def test_runs_are_read_once_and_again_after_a_change(fake, folders, monkeypatch):
    monkeypatch.setattr(records, "folder", lambda: folders.cache / "runs")
    assert study.select(method="fake") == []
    record = study.compute(FAKE)
    assert [run.id for run in study.select(method="fake", rate=0.5)] == [record.id]
    assert study.select(method="fake", rate=0.7) == study.select(nothing=1) == []
    assert study.select(method="fake")[0] is study.select(method="fake")[0]
    study.compute(FAKE | {"depth": 9})
    assert {run.config["depth"] for run in study.select(method="fake")} == {3, 9}

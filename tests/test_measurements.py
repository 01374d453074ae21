"""What is measured is frozen whole, verified when read, and goes on where it was stopped."""

import json

import numpy as np
import pytest

from bloodlib import cli
from bloodlib.data import images, stored
from bloodlib.study import records

ARRAYS = {"labels": np.arange(6, dtype=np.uint8).reshape(3, 2), "shares": np.float16([0.5, 0.25])}


def files(folders):
    return folders.results / "attention.npz", folders.results / "attention.json"


def test_what_is_saved_is_read_with_how_it_was_made(folders):
    clock = stored.Clock()
    records.save_measured("attribution", ARRAYS, {"steps": 8}, clock, "tensorflow")
    found, made = records.read_measured("attribution")
    assert set(found) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert made["command"] == "bloodlib measure attribution"
    assert (made["images"], made["settings"]) == (images.DATA_HASH, {"steps": 8})
    assert made["environment"]["backend"] == "tensorflow"
    assert made["started"] == clock.started
    assert {path.name for path in folders.results.glob("attention*")} == {
        path.name for path in files(folders)
    }


@pytest.mark.parametrize("lost", [0, 1])
def test_what_was_not_measured_names_the_command(folders, lost):
    records.save_measured("attribution", ARRAYS, {}, stored.Clock())
    files(folders)[lost].unlink()
    with pytest.raises(stored.MissingError, match="`bloodlib measure attribution` makes it"):
        records.read_measured("attribution")


def other_images(path):
    made = json.loads(path.read_text())
    path.write_text(json.dumps(made | {"images": "0" * 40}))


@pytest.mark.parametrize(
    ("which", "harm", "said"),
    [
        (0, lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not the file"),
        (1, lambda path: path.write_text("{"), "can't be read"),
        (1, lambda path: path.write_text("[]"), "no object"),
        (1, other_images, "not about the published images"),
    ],
)
def test_what_was_harmed_is_not_read(folders, which, harm, said):
    records.save_measured("attribution", ARRAYS, {}, stored.Clock())
    harm(files(folders)[which])
    with pytest.raises(stored.StoredError, match=said) as caught:
        records.read_measured("attribution")
    assert "git checkout results" in str(caught.value)


@pytest.mark.parametrize("shapes", [{"absent": (2,)}, {next(iter(ARRAYS)): (1, 2, 3, 4)}])
def test_an_array_that_is_missing_or_of_another_shape_is_named(folders, shapes):
    records.save_measured("attribution", ARRAYS, {}, stored.Clock())
    with pytest.raises(stored.StoredError, match=f"has no {next(iter(shapes))}"):
        records.read_measured("attribution", shapes)
    records.read_measured("attribution", {name: array.shape for name, array in ARRAYS.items()})


class Doubled:
    """Twice the number of each row, until it fails at one."""

    def __init__(self, fail_at=-1):
        self.fail_at, self.asked = fail_at, []

    def __call__(self, rows):
        if rows.start == self.fail_at:
            raise KeyboardInterrupt
        self.asked.append(rows.start)
        numbers = np.arange(rows.start, rows.stop)
        return {"doubled": 2 * numbers, "sums": numbers.sum(keepdims=True)}


def chunks(function, settings=0, clock=None):
    return records.in_chunks(
        "attribution", {"settings": settings}, function, 10, clock or stored.Clock(), 4
    )


def test_what_was_stopped_goes_on(folders):
    stopped, again, clock = Doubled(fail_at=4), Doubled(), stored.Clock()
    with pytest.raises(KeyboardInterrupt):
        chunks(stopped)
    found = chunks(again, clock=clock)
    assert (stopped.asked, again.asked, clock.from_cache) == ([0], [4, 8], 4)
    np.testing.assert_array_equal(found["doubled"], 2 * np.arange(10))
    np.testing.assert_array_equal(found["sums"], [6, 22, 17])


def test_other_settings_and_damaged_chunks_are_computed_anew(folders):
    chunks(Doubled())
    once, other = Doubled(), Doubled()
    next((folders.cache / "measured").rglob("00004.npz")).write_bytes(b"PK")
    found = chunks(once)
    assert once.asked == [4]
    np.testing.assert_array_equal(found["doubled"], 2 * np.arange(10))
    chunks(other, settings=1)
    assert other.asked == [0, 4, 8]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("boxes", "Clone https://github.com/Shenggan/BCCD_Dataset"),
        ("attribution", "bloodlib data --fetch"),
        ("robustness", "bloodlib data --fetch"),
    ],
)
def test_the_command_says_what_is_missing(folders, tmp_path, monkeypatch, capsys, what, said):
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    assert cli.main(["measure", what]) == 1
    printed = capsys.readouterr().err
    assert said in printed
    assert "Traceback" not in printed
    assert not list(folders.results.glob("*.npz"))

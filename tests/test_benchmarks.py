"""The rows that ``make bench`` writes: medians by name, and ratios that say who is faster."""

import importlib.util
import json
import subprocess
import sys

import pytest

from bloodlib.data import stored
from bloodlib.models import training

FILE = stored.checkout() / "benchmarks" / "conftest.py"
SPEC = importlib.util.spec_from_file_location("benchmarks_conftest", FILE)
CONTEST = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CONTEST)


def found(name, median, ours=False, images=None):
    """A benchmark as pytest-benchmark hands it over."""
    extra = {"ours": ours, "images": images, "source": "drawn"}
    return {"group": "work", "name": name, "stats": {"median": median}, "extra_info": extra}


@pytest.mark.parametrize(("images", "best"), [(None, 4.0), (100, 25.0)])
def test_the_best_of_ours_against_the_best_peer(images, best):
    timed = [("a", 2.0, True), ("b", 3.0, True), ("c", 4.0, False), ("d", 9.0, False)]
    output = {"benchmarks": [found(*one, images) for one in timed]}
    CONTEST.pytest_benchmark_update_json(None, None, output)
    (row,) = output["rows"]
    assert (row["ours_is"], row["best"], row["ratio"]) == ("a", "c", 2.0)
    assert row["peers"]["c"] == best
    assert list(row["also"]) == ["b"]


def test_without_a_peer_there_is_no_ratio():
    row = CONTEST.row("work", [found("a", 2.0, ours=True)])
    assert (row["ours"], row["best"], row["ratio"]) == (2.0, None, None)


def test_the_stored_rows_have_what_new_ones_have():
    kept = json.loads((stored.checkout() / "results" / "bench.json").read_bytes())
    fresh = CONTEST.row("work", [found("a", 2.0, ours=True)])
    for row in kept["rows"]:
        assert fresh.keys() <= row.keys()
        if row["ratio"]:
            times = row["ours"] / row["peers"][row["best"]]
            assert row["ratio"] == pytest.approx(
                times if "/s" in row["unit"] else 1 / times, rel=0.01
            )


@pytest.mark.long
@pytest.mark.parametrize("options", [(), ("--any", "--images", "64")])
def test_all_but_the_gpu_is_tried_on_the_processor(keras, options):
    if training.device_name():
        pytest.skip("there is a GPU here: make gpu")
    ended = subprocess.run(
        [sys.executable, FILE.with_name("gpu.py"), "--no-run", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == (0 if options else 1), ended.stderr
    said = ["images a second", "of the processor's."] if options else ["No GPU can be used here"]
    assert all(words in ended.stdout for words in said)


def test_the_page_says_whether_a_run_of_this_book_was_computed_on_a_gpu():
    page = (stored.checkout() / "chapters" / "run_it_yourself.md").read_text(encoding="utf-8")
    files = (stored.checkout() / "results" / "runs").glob("*.json")
    devices = {json.loads(file.read_bytes())["environment"].get("device") for file in files}
    said = "No run of this book was computed on a GPU" in page
    assert said is (devices == {"processor"})

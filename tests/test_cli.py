"""The command ``bloodlib``, as a user meets it."""

import ast
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types

import numpy as np
import pytest
from conftest import CHECKOUT, answer

from bloodlib import cli, paper, study
from bloodlib.data import images, stored
from bloodlib.evidence import comparison, scores
from bloodlib.models import methods
from bloodlib.study import records

STUDY = """\
profiles:
  quick: {images_per_class: 12}
  full: {}
runs:
  - {method: NB, task: [four, two]}
  - {method: SVM, task: [four, two], kind: [C, nu], kernel: [rbf, linear]}
"""
ONE_FAKE = STUDY.split("runs:")[0] + "runs:\n  - {method: fake, task: two}\n"
SHORT = "runs:\n  - {method: DCLNN, task: two, precision: mixed_bfloat16, epochs: 1}\n"
QUICK = ["study", "--profile", "quick", "--images", "drawn"]
HEAVY = ("tensorflow", "keras", "jax", "torch", "sklearn", "pandas", "matplotlib", "scipy")


def bloodlib(*arguments, **more):
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "bloodlib.cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        **more,
    )


@pytest.fixture
def small(checkout):
    return checkout(STUDY)


@pytest.fixture
def no_images(monkeypatch, tmp_path):
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))


def subcommands():
    return next(a.choices for a in cli._parser()._actions if hasattr(a.choices, "items"))


def sentence(capsys, code):
    """What is said when something is wrong: one line, exit 1, nothing of a traceback."""
    said = capsys.readouterr()
    assert code == 1
    assert "Traceback" not in said.err + said.out
    lines = said.err.strip().splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("bloodlib: ")
    return lines[0]


# ------------------------------------------------------------------------------ help, quickly


def loaded_by(code, **more):
    """Heavy modules that are loaded after some code has run."""
    report = f"import sys; print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
        **more,
    )
    return result.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "import bloodlib, bloodlib.cli",
        "from bloodlib import study; from bloodlib.evidence import scores; "
        "from bloodlib.models import methods, networks; from bloodlib import paper",
    ],
)
def test_nothing_heavy_is_loaded_without_need(code):
    assert loaded_by(code, cwd=CHECKOUT) == "[]"


@pytest.mark.parametrize("option", ["--list", pytest.param("--verify", marks=pytest.mark.long)])
def test_to_look_at_the_study_no_network_is_loaded(no_images, option):
    """The splits of some runs are scikit-learn's; their tables take pandas."""
    loaded = ast.literal_eval(
        loaded_by(f"from bloodlib import cli; cli.main(['study', {option!r}])", cwd=CHECKOUT)
    )
    assert set(loaded) <= {"sklearn", "pandas", "scipy"}


def test_every_subcommand_has_help(capsys):
    assert {"data", "study", "report"} <= set(subcommands())
    for name in subcommands():
        with pytest.raises(SystemExit) as caught:
            cli.main([name, "--help"])
        assert caught.value.code == 0
        said = capsys.readouterr().out
        assert f"usage: bloodlib {name}" in said


# ------------------------------------------------------------------------------------- study


def test_a_quick_study_on_drawn_images(small, folders, capsys):
    assert cli.main([*QUICK, "--only", "NB"]) == 0
    said = capsys.readouterr().out
    assert "0 of 2 runs have a record." in said
    found = records.read_all(folders.cache / "runs")
    assert sorted(record.config["task"] for record in found) == ["four", "two"]
    for record in found:
        records.check(record)
        assert record.config["images_per_class"] == 12
        assert record.id == study.identify(record.config)
        assert record.id in said
    assert not (folders.results / "runs").exists()
    before = {path: path.stat().st_mtime_ns for path in (folders.cache / "runs").iterdir()}
    assert cli.main([*QUICK, "--only", "NB"]) == 0
    assert "2 of 2 runs have a record." in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in (folders.cache / "runs").iterdir()}
    assert after == before


def test_list_shows_every_run_and_computes_none(small, folders, capsys):
    assert cli.main([*QUICK, "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["missing"] * 10
    config = {"method": "NB", "task": "two", "images": "drawn"}
    line = next(line for line in lines if "Naive Bayes two" in line)
    assert study.identify(study.resolve(config, "quick")) in line
    assert not folders.cache.exists()
    study.run(config, "quick")
    assert cli.main([*QUICK, "--list"]) == 0
    states = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert states == ["missing", "complete"] + ["missing"] * 8


def test_only_takes_words_of_ids_and_descriptions(small, folders, capsys):
    def listed(*words):
        only = [argument for word in words for argument in ("--only", word)]
        assert cli.main([*QUICK, "--list", *only]) == 0
        return capsys.readouterr().out.splitlines()

    assert len(listed("SVM")) == 8
    assert len(listed("SVM", "two")) == 4
    (line,) = listed("two", "nu", "linear")
    ident = re.search(r"SVM-two-[0-9a-f]{10}", line).group()
    assert listed(ident) == [line]


def test_only_with_no_such_run(small, capsys):
    said = sentence(capsys, cli.main(["study", "--only", "NB", "--only", "SVM"]))
    assert "no run of study.yml holds NB and SVM" in said


def test_a_failure_is_not_fatal(small, folders, fake, capsys):
    (small / "study.yml").write_text(
        STUDY.split("runs:")[0]
        + "runs:\n  - {method: fake, task: [four, two]}\n  - {method: NB, task: two}\n"
    )
    fake.error = ValueError("no luck")
    assert cli.main(QUICK) == 1
    assert capsys.readouterr().out.count("failed: ValueError: no luck") == 2
    assert cli.main([*QUICK, "--list"]) == 0
    states = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert states == ["failed", "failed", "complete"]
    fake.error = None
    assert cli.main(QUICK) == 0
    assert "1 of 3 runs have a record." in capsys.readouterr().out
    assert len(fake.calls) == 4


def test_what_has_no_solution_is_no_failure(small, folders, fake, capsys):
    (small / "study.yml").write_text(ONE_FAKE)
    fake.error = methods.InfeasibleError("nu is too large")
    for _ in range(2):
        assert cli.main(QUICK) == 0
    assert len(fake.calls) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("runs:\n  - {method: NV, task: two}\n", "method is 'NV'. There are: "),
        ("runs:\n  - {method: NB, task: two, smoothing: 1}\n", "NB has no setting 'smoothing'"),
    ],
)
def test_a_mistake_in_study_yml_is_one_sentence(checkout, capsys, text, words):
    checkout("profiles: {}\n" + text)
    assert words in sentence(capsys, cli.main(["study", "--list"]))


def test_outside_a_checkout(folders, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bloodlib.data.stored.__file__", str(tmp_path / "bloodlib" / "stored.py"))
    assert "no checkout of the book" in sentence(capsys, cli.main(["study", "--list"]))


def test_a_cache_that_is_no_folder(small, folders, capsys):
    folders.cache.write_text("a file")
    sentence(capsys, cli.main([*QUICK, "--only", "NB"]))


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_study_told_to_end_says_how_it_goes_on(small, folders, sent):
    process = subprocess.Popen(
        [sys.executable, "-m", "bloodlib.cli", *QUICK],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=small,
    )  # fmt: skip
    while not list((folders.cache / "runs").glob("*.json")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(sent)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 130
    assert said.endswith("Stopped. Run it again: what is stored is not computed again.\n")
    assert "Traceback" not in said


@pytest.mark.parametrize("there", [True, False])
def test_runs_that_are_slow_on_this_processor_are_announced(
    checkout, folders, monkeypatch, capsys, there
):
    checkout(STUDY.split("runs:")[0] + SHORT)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bloodlib.models.training.has_short_floats", lambda: there)
    monkeypatch.setattr("bloodlib.models.training.device_name", lambda: "")
    monkeypatch.setattr(study, "compute", interrupted)
    assert cli.main(QUICK) == 130
    said = re.search(r"\d of these runs .* ten times as long", capsys.readouterr().out)
    assert (said is None) is there


# ------------------------------------------------------------------------------------- output


def test_output_is_whole_where_the_encoding_has_not_all_signs(tmp_path):
    given = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    address = "tbl-paper-1/four/NB/NEUTROPHIL/recall"
    with (tmp_path / "out.txt").open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "bloodlib.cli", "explain", address],
            stdout=file, stderr=subprocess.PIPE, env=given, cwd=CHECKOUT, timeout=300,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert re.search(r"0\.\d\d–0\.\d\d", (tmp_path / "out.txt").read_text("utf-8"))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_on_a_full_disk_is_an_error_in_one_line(small, folders, unbuffered):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bloodlib.cli", *QUICK, "--list"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, cwd=small,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"bloodlib: .*No space left on device\n", done.stderr)


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
@pytest.mark.parametrize("reader", [">&-", "| head -n 1"])
def test_output_that_nobody_reads_is_no_error(small, folders, reader):
    line = f"{sys.executable} -m bloodlib.cli {' '.join(QUICK)} --list {reader}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=300,
        cwd=small,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode in (0, 1)
    assert done.stdout.count("\n") == (reader != ">&-")


def test_results_that_are_named_and_not_there(folders, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLOODLIB_RESULTS", "none")
    for command in ("report", "audit"):
        said = sentence(capsys, cli.main([command]))
        assert f"BLOODLIB_RESULTS is {tmp_path / 'none'}, which is no folder" in said


# ------------------------------------------------------------------------------------- verify


def frozen(config, seed=0, epochs=1):
    """A frozen record of the published images, its answers drawn at random."""
    config = study.resolve(config)
    task = config["task"]

    data = types.SimpleNamespace(pixels={split: images.labels(split) for split in images.SPLITS})
    found = answer(data, task, epochs, seed)
    return records.write(
        records.folder(),
        {
            "id": study.identify(config),
            "status": "complete",
            "reason": "",
            "config": config,
            "data": images.DATA_HASH,
            "history": {},
            "weights": "",
            "environment": stored.environment("", ""),
            "started": "2025-01-01T00:00:00+00:00",
            "seconds": 1.0,
        },
        {
            "truth": images.labels("TEST", task),
            "truth_simple": images.labels("TEST_SIMPLE", task),
            "labels": found.labels,
            "labels_simple": found.labels_simple,
            "probabilities": found.probabilities,
            "probabilities_simple": found.probabilities_simple,
        },
    )


def rewrite(path, **changed):
    content = json.loads(path.read_text())
    content["config"] |= changed
    path.write_text(json.dumps(content))


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGE = {
    "a byte of the predictions": (lambda p: flip(next(p.parent.glob("NB*.npz"))), "is not the"),
    "another name": (lambda p: p.rename(p.with_name("NB-two-0000000000.json")), "not the record's"),
    "a setting edited": (lambda p: rewrite(p, var_smoothing=0.5), "belong to the id"),
    "a setting that is none": (lambda p: rewrite(p, smoothing=0.5), "no setting 'smoothing'"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_verify_finds_a_damaged_record_and_names_it(folders, no_images, capsys, damage):
    path = frozen({"method": "NB", "task": "two"}).path
    frozen({"method": "SVM", "task": "two"})
    assert cli.main(["study", "--verify"]) == 0
    assert "2 records verified" in capsys.readouterr().out
    change, words = DAMAGE[damage]
    change(path)
    said = sentence(capsys, cli.main(["study", "--verify"]))
    assert words in said
    assert str(path.parent / "NB-two-") in said


def test_frozen_records_of_this_book_verify(no_images, capsys):
    assert cli.main(["study", "--verify"]) == 0
    said = capsys.readouterr().out
    assert "records verified" in said
    assert "None was computed again: the images are not here (`bloodlib data --fetch`)." in said


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_a_frozen_record_of_this_book_is_computed_again(capsys):
    (record,) = study.select(method="NB", task="four", split_by="cell", fold=2)
    assert cli.main(["study", "--verify", "--only", record.id]) == 0
    said = capsys.readouterr().out
    assert f"Computing one again: {study.describe(record.config)}" in said
    assert "Its 6 arrays of predictions are the same." in said


@pytest.fixture
def tiny_images(folders, monkeypatch):
    """As many images as there are, each of four pixels."""
    rng = np.random.default_rng(0)
    labels = {
        task: {split: images.labels(split, task) for split in images.SPLITS}
        for task in images.TASKS
    }
    pixels = {
        split: rng.integers(0, 256, (len(found), 2, 2, 3), dtype=np.uint8)
        for split, found in labels["four"].items()
    }
    data = methods.Data(pixels, labels, images.DATA_HASH)
    monkeypatch.setattr(study, "load", functools.cache(lambda *_: data))
    monkeypatch.setattr(images, "available", lambda: True)
    return data


def test_verify_computes_a_cheap_one_again_and_says_which(tiny_images, folders, capsys):
    cheap = [study.compute({"method": "NB", "task": task}) for task in images.TASKS]
    slow = frozen({"method": "SVM", "task": "two"})
    before = {p: p.read_bytes() for p in slow.path.parent.iterdir()}
    chosen = set()
    for _ in range(9):
        assert cli.main(["study", "--verify"]) == 0
        said = capsys.readouterr().out
        assert "3 records verified" in said
        assert "Its 6 arrays of predictions are the same." in said
        chosen.add(re.search(r"--only (\S+) chooses", said)[1])
    assert chosen == {record.id for record in cheap}
    assert cli.main(["study", "--verify", "--only", cheap[0].id]) == 0
    assert f"--only {cheap[0].id} chooses" in capsys.readouterr().out
    assert {p: p.read_bytes() for p in slow.path.parent.iterdir()} == before


@pytest.mark.parametrize("only", [[], ["--only", "NB"]])
def test_verify_finds_a_record_that_computing_does_not_give(tiny_images, capsys, only):
    record = frozen({"method": "NB", "task": "two"})
    said = sentence(capsys, cli.main(["study", "--verify", *only]))
    assert f"{record.path}: computed again, it differs ({'; '.join(study.repeat(record))})" in said
    assert re.search(r"probabilities: [\d,]+ of 4,974 entries differ, by up to [01]", said)
    assert "truth" not in said
    assert f"`bloodlib explain {record.id}`" in said


def test_verify_of_one_that_is_not_cheap(tiny_images, fake, capsys):
    record = study.compute({"method": "fake", "task": "two"})
    assert cli.main(["study", "--verify"]) == 0
    assert "None was computed again: none is cheap." in capsys.readouterr().out
    assert len(fake.calls) == 1
    said = sentence(capsys, cli.main(["study", "--verify", "--only", record.id]))
    assert len(fake.calls) == 2
    assert "computed again, it differs (labels: " in said  # it answers anew each time
    said = sentence(capsys, cli.main(["study", "--verify", "--only", "SVM"]))
    assert "no complete record contains SVM: see --list" in said


def test_to_compute_one_again_takes_images(folders, no_images, capsys):
    record = frozen({"method": "NB", "task": "two"})
    said = sentence(capsys, cli.main(["study", "--verify", "--only", record.id]))
    assert "bloodlib data --fetch" in said


# ------------------------------------------------------------------------------------- killed


@pytest.mark.long
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX")
def test_a_study_killed_goes_on(small, folders, monkeypatch):
    """Killed once after each of some first records; then it completes the rest and no more."""
    where = folders.cache / "runs"
    command = [sys.executable, "-m", "bloodlib.cli", *QUICK]
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    kept = {}
    for wanted in (1, 4):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=small
        )
        end = time.monotonic() + 300
        while len(list(where.glob("*.json"))) < wanted and time.monotonic() < end:
            time.sleep(0.002)
            assert process.poll() is None, "it ended before it was killed"
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        for record in records.read_all(where):
            records.check(record)
        now = {path: path.read_bytes() for path in where.glob("*.json")}
        assert now.items() >= kept.items()
        assert wanted <= len(now) < 10
        kept = now
    result = bloodlib(*QUICK, cwd=small)
    assert result.returncode == 0, result.stderr[-1000:]
    assert f"{len(kept)} of 10 runs have a record." in result.stdout
    found = records.read_all(where)
    assert len(found) == 10
    for record in found:
        records.check(record)
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(list(where.glob("*.npz"))) == 10


# --------------------------------------------------------------------------------------- data


def test_data_without_images_says_what_to_do(folders, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    said = sentence(capsys, cli.main(["data"]))
    assert str(tmp_path) in said
    assert "bloodlib data --fetch" in said


def test_a_study_without_images_says_what_to_do(small, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path))
    code = cli.main(["study", "--only", "NB"])
    said = capsys.readouterr()
    assert code == 1
    assert "bloodlib data --fetch" in said.err
    assert "Traceback" not in said.err
    assert not list(records.folder().glob("*"))  # no failure of the method is recorded


@pytest.mark.data
@pytest.mark.skipif(not images.available(), reason="no real images here")
def test_data_prints_counts_and_hashes(capsys):
    assert cli.main(["data"]) == 0
    said = capsys.readouterr().out
    assert f"{images.DATA_HASH}  verified" in said
    assert re.search(r"TRAIN +9957 ", said)


# ------------------------------------------------------------------------------------- report


@pytest.fixture
def facts(folders):
    """Facts of the images beside the test's own records, as in the checkout."""
    shutil.copy(CHECKOUT / "results" / "dataset.json", folders.results)


def reported(*arguments):
    result = bloodlib("report", *arguments)
    assert result.returncode == 0, result.stderr[-1000:]
    return result.stdout


def test_report_without_runs(facts):
    report = json.loads(reported("--json"))
    assert set(report) == {"cells", "claims"}
    keys = ("address", "table", "task", "method", "class", "measure", "paper")
    assert [tuple(cell[key] for key in keys) for cell in report["cells"]] == [
        (c.address, c.table, c.task, c.method, c.class_, c.measure, c.value)
        for c in paper.TABLE_CELLS
    ]
    for cell in report["cells"]:
        assert set(cell) == {*keys, *comparison.NUMBERS, "runs", "frozen"}
        assert {cell[name] for name in comparison.NUMBERS} == {None}
        assert cell["runs"] == 0
    assert [(c["id"], c["place"], c["text"]) for c in report["claims"]] == [
        (c.id, c.place, c.text) for c in paper.CLAIMS
    ]
    for claim in report["claims"]:
        assert set(claim) == {"id", "place", "text", "verdict", "evidence", "other_cells"}


def test_report_shows_what_the_frozen_records_say(facts):
    of = {
        "NB": frozen({"method": "NB", "task": "two"}),
        "SVM": frozen({"method": "SVM", "task": "two"}, seed=1),
    }
    for kernel in ("linear", "rbf"):  # beside the run that is compared, never in its place
        frozen({"method": "SVM", "task": "two", "kind": "nu", "kernel": kernel}, seed=2)
    seen = 0
    for cell in json.loads(reported("--json"))["cells"]:
        if cell["task"] == "two" and cell["method"] in of:
            confusion = of[cell["method"]].confusion()
            values = scores.printed_rows(confusion, cell["measure"])
            row = ("Mononuclear", "Polynuclear", "Average").index(cell["class"])
            np.testing.assert_allclose(cell["ours"], values[row], rtol=1e-12)
            assert cell["runs"] == 1
            seen += 1
        else:
            assert (cell["ours"], cell["runs"]) == (None, 0)
        low, high = cell["low"], cell["high"]
        assert (low is None) == (high is None)
        assert low is None or low <= cell["ours"] <= high
    assert seen == 18


def test_report_to_be_read(facts):
    frozen({"method": "NB", "task": "four"})
    said = reported()
    for words in ("Table 1", "Table 2", "Neutrophil", "Mononuclear", "Average", "AveragePooling"):
        assert words in said
    assert paper.CLAIMS[0].place in said

"""Runs as jobs: one by one, several at once, shared between processes; and the time left."""

import os
import threading
import time

import pytest

from bloodlib import cli, study
from bloodlib.book import chapter as chapters
from bloodlib.models import methods
from bloodlib.study import jobs, records

FAKE = {"method": "fake", "task": "four", "images": "drawn", "images_per_class": 5}
STUDY = """\
profiles:
  quick: {images_per_class: 5}
runs:
  - {method: NB, task: [four, two]}
  - {method: KNN, task: [four, two]}
"""
QUICK = ["study", "--profile", "quick", "--images", "drawn"]


def fakes(n):
    return [study.resolve(FAKE | {"depth": depth}) for depth in range(n)]


def depths(outcomes):
    return [config["depth"] for config, *_ in outcomes]


# ------------------------------------------------------------------------------- one by one


def test_one_by_one_in_their_order(fake, folders):
    started = []
    found = list(jobs.one_by_one(fakes(3), started.append))
    assert depths(found) == [config["depth"] for config in started] == [0, 1, 2]
    assert all(stands for *_, stands in found)
    assert [said.split()[0] for _, said, _ in found] == [study.identify(c) for c in fakes(3)]


def test_a_failure_does_not_stand_and_no_solution_does(fake, folders):
    for error, stands in ((ValueError("no luck"), False), (methods.InfeasibleError("nu"), True)):
        fake.error = error
        ((_, said, outcome),) = jobs.one_by_one(fakes(1), lambda config: None)
        assert outcome is stands
        assert str(error) in said


def test_a_run_of_another_process_comes_last(fake, folders):
    held, ending = threading.Event(), threading.Event()

    def other():
        with study.lock(fakes(3)[0]):
            held.set()
            ending.wait(30)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(30)
    found = []
    for outcome in jobs.one_by_one(fakes(3), lambda config: None):
        found.append(outcome)
        if len(found) == 2:
            ending.set()  # only now may the first be had
    thread.join()
    assert depths(found) == [1, 2, 0]
    assert len(fake.calls) == 3


def test_two_commands_share_the_runs_out(fake, folders):
    """Each run is computed once, and two are computed at a time."""
    study.load("drawn", 5)
    both = threading.Barrier(2, timeout=30)
    fake.during = both.wait  # goes on only when another run is being computed too
    found = [[], []]

    def command(mine):
        mine += jobs.one_by_one(fakes(8), lambda config: None)

    threads = [threading.Thread(target=command, args=(mine,)) for mine in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not both.broken
    assert sorted(call["depth"] for call in fake.calls) == list(range(8))
    assert sorted(depths(found[0])) == sorted(depths(found[1])) == list(range(8))


# ---------------------------------------------------------------------------------- at once


@pytest.mark.parametrize("n", [2, 1])
def test_at_once_computes_each_run_once(checkout, folders, n):
    if n > (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()):
        pytest.skip(f"fewer than {n} processors")
    checkout(STUDY)
    runs, started = study.grid("quick", "drawn"), []
    found = list(jobs.at_once(runs, started.append, n, "quick"))
    assert len(found) == len(started) == 4
    for config, said, stands in found:
        assert stands, said
        assert said.startswith(study.identify(config))
        records.check(study.run(config))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="pins on Linux only")
def test_each_process_has_its_share_of_the_processors(checkout, folders, monkeypatch):
    """The shares are disjoint, cover what there is, and this process keeps all of it."""
    checkout(STUDY)
    everything, seen = os.sched_getaffinity(0), []
    if len(everything) < 2:
        pytest.skip("one processor")
    both = threading.Barrier(2, timeout=30)

    def process(command, **_):
        seen.append(os.sched_getaffinity(0))
        both.wait()
        return type("Ended", (), {"stdout": "said", "returncode": 0})

    monkeypatch.setattr("subprocess.run", process)
    runs = study.grid("quick", "drawn", ["NB"])
    found = list(jobs.at_once(runs, lambda config: None, 2, "quick"))
    assert [said for _, said, _ in found] == ["said", "said"]
    assert seen[0] | seen[1] == everything
    assert not seen[0] & seen[1]
    assert os.sched_getaffinity(0) == everything


@pytest.mark.parametrize("n", [0, -1, 10_000])
def test_more_jobs_than_processors_are_refused(checkout, folders, capsys, n):
    checkout(STUDY)
    assert cli.main([*QUICK, "--jobs", str(n)]) == 1
    assert f"--jobs {n}: there are" in capsys.readouterr().err
    assert not (folders.cache / "runs").exists()


@pytest.mark.parametrize(
    ("code", "stdout", "words"),
    [(1, "NB-x  NB: failed: no luck\n", "NB-x  NB: failed: no luck"), (-9, "", "ended with -9: ")],
)
def test_a_process_that_fails_or_dies_is_told_of(checkout, monkeypatch, code, stdout, words):
    checkout(STUDY)
    ended = type("Ended", (), {"stdout": stdout, "returncode": code})
    monkeypatch.setattr("subprocess.run", lambda *_, **__: ended)
    runs = study.grid("quick", "drawn", ["NB four"])
    ((_, said, stands),) = jobs.at_once(runs, lambda config: None, 1, "quick")
    assert not stands
    assert said.endswith(words)


def test_stopped_while_runs_wait_none_of_them_is_started(checkout, monkeypatch):
    checkout(STUDY)
    started = []

    def process(command, **_):
        time.sleep(0.1)
        return type("Ended", (), {"stdout": "", "returncode": 0})

    monkeypatch.setattr("subprocess.run", process)
    outcomes = jobs.at_once(study.grid("quick", "drawn"), started.append, 1, "quick")
    next(outcomes)
    outcomes.close()
    assert len(started) <= 2


def test_the_command_with_jobs(checkout, folders, capsys):
    checkout(STUDY)
    assert cli.main([*QUICK, "--jobs", "1", "--only", "NB-"]) == 0
    n = min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    assert cli.main([*QUICK, "--jobs", str(n)]) == 0
    printed = capsys.readouterr()
    assert "2 of 4 runs have a record." in printed.out
    assert printed.out.count("KNN-") == 2
    assert "2/2 runs" in printed.err


# -------------------------------------------------------------------------------- time left


@pytest.mark.parametrize(
    ("waiting", "ended", "n", "words"),
    [
        ([60, 120], [], 1, "about 03:00 left"),
        ([60, 120], [(10, 20), (30, 60)], 1, "about 06:00 left"),  # half as fast as expected
        ([60, 120], [], 2, "about 01:30 left"),
        ([60, None], [], 1, "more than 01:00 left"),
        ([None], [(10, 20)], 1, "time left unknown"),
        ([3600 * 5], [], 1, "about 5:00:00 left"),
    ],
)
def test_time_left(waiting, ended, n, words):
    assert jobs.time_left(waiting, ended, n) == words


def test_the_bar_counts_runs_and_tells_the_time_left(checkout, folders, fake, capsys):
    checkout(STUDY.split("runs:")[0] + "runs:\n  - {method: fake, task: [four, two]}\n")
    assert cli.main([*QUICK, "--only", "four"]) == 0
    assert "0/1 runs [00:00, time left unknown, fake four" in capsys.readouterr().err
    assert cli.main(QUICK) == 0
    assert "about 00:00 left, fake two" in capsys.readouterr().err


# --------------------------------------------------------------------- a chapter as a job


@pytest.fixture
def chapter(monkeypatch):
    """What papermill would do, and then fail: a function to be set as ``chapter.does``."""

    def run(source, parameters, notebook):
        chapter.given = (source.name, parameters, notebook)
        chapter.does(parameters["settings"])
        raise chapters.ChapterError("failed in cell 9: ValueError: a picture")

    monkeypatch.setattr(chapters, "run", run)
    chapter = type("Chapter", (), {"does": staticmethod(lambda config: None)})
    return chapter


def test_a_job_runs_its_chapter_on_its_configuration(fake, folders, chapter, tmp_path):
    chapter.does = study.compute
    log = tmp_path / "new folder" / "log.ipynb"
    jobs.run("05_measures", FAKE, "quick", log)
    assert chapter.given == ("05_measures.py", {"profile": "quick", "settings": FAKE}, log)
    assert log.parent.is_dir()
    assert len(fake.calls) == 1


def test_what_fails_after_the_record_is_no_failed_job(fake, folders, chapter, tmp_path, capsys):
    chapter.does = study.compute
    jobs.run("05_measures", FAKE, "quick", tmp_path / "log.ipynb")
    assert "log.ipynb: failed in cell 9" in capsys.readouterr().err


def test_a_job_without_a_record_fails(fake, folders, chapter, tmp_path):
    with pytest.raises(chapters.ChapterError, match="failed in cell 9"):
        jobs.run("05_measures", FAKE, "quick", tmp_path / "log.ipynb")


@pytest.mark.parametrize(
    ("error", "fails"), [(ValueError("no luck"), True), (methods.InfeasibleError("nu"), False)]
)
def test_a_run_that_failed_fails_its_job(fake, folders, chapter, tmp_path, error, fails):
    def does(config):
        with pytest.raises(study.RunError):
            study.compute(config)

    fake.error, chapter.does = error, does
    if fails:
        with pytest.raises(chapters.ChapterError):
            jobs.run("05_measures", FAKE, "quick", tmp_path / "log.ipynb")
    else:
        jobs.run("05_measures", FAKE, "quick", tmp_path / "log.ipynb")


def test_expected_seconds_are_those_of_the_runs_most_like_it(fake, folders):
    def known(seconds, **settings):
        config = study.resolve(FAKE | settings)
        return records.Record(None, {"config": config, "seconds": seconds, "status": "complete"})

    alike = [known(10.0, epochs=5, depth=1), known(30.0, epochs=5, depth=1, seed=1)]
    found = [*alike, known(900.0, depth=2), known(1.0, images_per_class=9, depth=1)]
    found.append(records.Record(None, {**alike[0].content, "status": "failed", "seconds": 7.0}))
    assert study.expected_seconds(FAKE | {"depth": 1, "epochs": 10, "seed": 2}, found) == 40.0
    assert study.expected_seconds(FAKE | {"depth": 2}, found) == 900.0
    assert study.expected_seconds(FAKE, []) is None
    assert study.expected_seconds({"method": "NB", "task": "four"}, found) is None

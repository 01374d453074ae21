"""``Snakefile``: a job for each run without a record, and no record in Snakemake's hands.

Snakemake is outside the lock: ``pip install '.[cluster]'`` brings it.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import pytest
from conftest import CHECKOUT, answer
from made_records import made_up

from bloodlib import study
from bloodlib.study import records

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        importlib.util.find_spec("snakemake") is None,
        reason="Snakemake is not installed: pip install '.[cluster]'",
    ),
]
SMALL = """\
profiles:
  quick: {images_per_class: 8}
runs:
  - {method: NB, task: two}
  - {method: KNN, task: two}
"""
DRAWN = ("profile=quick", "images=drawn")


@pytest.fixture
def workflow(checkout, folders):
    """A function that makes a checkout with a ``study.yml``; it returns one that runs Snakemake."""

    def make(text):
        folder = checkout(text)
        shutil.copy(CHECKOUT / "Snakefile", folder)
        shutil.copytree(CHECKOUT / "profiles", folder / "profiles")

        def snakemake(*options, config=DRAWN):
            done = subprocess.run(
                [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--config", *config],
                cwd=folder,
                env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=500,
            )
            return done.returncode, done.stdout

        return snakemake

    return make


def jobs(printed):
    """Rule of each job that a dry run names, by the id of its run."""
    return {
        run: rule
        for rule, run in re.findall(r"rule (\w+):\n(?:    .*\n)*?    wildcards: id=(.+)\n", printed)
    }


def make_record(config, status="complete", epochs=1):
    """A record of a run on drawn images, its answers drawn at random."""
    config = study.resolve(config)
    data = study.load(*(config[key] for key in study.DATA))
    found = answer(data, config["task"], epochs)
    content, arrays = made_up(status=status)
    content |= {"id": study.identify(config), "config": config, "data": data.hash, "history": {}}
    if arrays:
        arrays = study._arrays(found, data, config["task"])
    return records.write(study.path(config).parent, content, arrays)


# ---------------------------------------------------------------------------- what there is to do


def test_a_dry_run_lists_exactly_the_runs_without_a_record(workflow, folders):
    """Of this book's own study, where three frozen records were taken away."""
    snakemake = workflow((CHECKOUT / "study.yml").read_text(encoding="utf-8"))
    shutil.copytree(CHECKOUT / "results" / "runs", folders.results / "runs")
    configs = [
        {"method": "NB", "task": "two"},
        {"method": "SVM", "task": "four", "kernel": "linear"},
        {"method": "DCLNN", "task": "two", "pooling": "average"},
    ]
    for config in configs:
        study.path(config).unlink()
    code, printed = snakemake("--dry-run", config=("profile=full",))
    assert code == 0, printed
    rules = {
        study.identify(config): "train" if config["method"] == "DCLNN" else "baseline"
        for config in study.grid()
        if study.is_open(config)
    }
    assert {study.identify(config) for config in configs} <= set(rules)
    assert jobs(printed) == rules


def test_what_was_cut_short_or_failed_is_listed_and_what_has_no_solution_is_not(workflow):
    snakemake = workflow(
        "profiles: {quick: {images_per_class: 8}}\n"
        "runs:\n  - {method: DCLNN, task: two, epochs: 3, seed: [0, 1, 2]}\n"
        "  - {method: [NB, KNN], task: two}\n"
    )
    listed = study.grid("quick", "drawn")
    make_record(listed[0], epochs=3)
    make_record(listed[1], epochs=2)
    make_record(listed[3], "failed")
    make_record(listed[4], "infeasible")
    code, printed = snakemake("--dry-run")
    assert code == 0, printed
    assert set(jobs(printed)) == {study.identify(listed[i]) for i in (1, 2, 3)}
    assert study.recorded(listed[0]).epochs == 3
    # chosen as `bloodlib study` chooses
    _, printed = snakemake("--dry-run", config=(*DRAWN, "only=NB"))
    assert set(jobs(printed)) == {study.identify(listed[3])}
    code, printed = snakemake("--dry-run", config=(*DRAWN, "only=KMN"))
    assert code != 0
    assert "no run of study.yml holds KMN" in printed


# ----------------------------------------------------------------------------------- a real run


def test_a_grid_of_two_runs_is_computed_once(workflow, folders):
    snakemake = workflow(SMALL)
    code, printed = snakemake()
    assert code == 0, printed
    found = {}
    for config in study.grid("quick", "drawn"):
        record = study.run(config)
        study.check(record)
        assert record.id in record.path.with_suffix(".log").read_text(encoding="utf-8")
        found[config["method"]] = record.path.read_bytes()
    code, printed = snakemake()  # there is nothing left
    assert code == 0, printed
    assert "rule baseline" not in printed
    # a record taken away is computed again, whatever Snakemake remembers, and no other is
    naive, nearest = study.grid("quick", "drawn")
    study.path(naive).unlink()
    code, printed = snakemake()
    assert code == 0, printed
    assert study.recorded(naive).status == "complete"
    assert study.path(nearest).read_bytes() == found["KNN"]


def test_a_run_that_fails_leaves_its_log_and_the_others_go_on(workflow, folders):
    snakemake = workflow(SMALL.replace("KNN, task: two", "KNN, task: two, n_neighbors: 1000"))
    code, printed = snakemake()
    naive, nearest = study.grid("quick", "drawn")
    assert code == 1, printed
    assert study.recorded(naive).status == "complete"
    assert study.recorded(nearest).status == "failed"
    assert "n_neighbors" in study.path(nearest).with_suffix(".log").read_text(encoding="utf-8")
    assert printed.count("Error in rule baseline") == 2  # it was tried once more


def test_a_shorter_record_stays_until_there_is_a_longer_one(workflow, folders, monkeypatch):
    """Snakemake deletes a job's outputs before it starts and when it fails; no record is one."""
    snakemake = workflow(
        "profiles: {quick: {images_per_class: 8}}\n"
        "runs:\n  - {method: DCLNN, task: two, epochs: 3, learning_rate: 1.0e+30}\n"
    )
    (config,) = study.grid("quick", "drawn")
    before = make_record(config, epochs=2)
    monkeypatch.setenv("KERAS_BACKEND", "none")  # so that training fails at once
    code, printed = snakemake("--retries", "0")
    assert code == 1, printed
    assert records.read(study.path(config)).content == before.content

"""What everything costs: the frame that measures, with scripts that take no time."""

import ast
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
import types

import made_up
import pytest
import yaml
from conftest import CHECKOUT

from bloodlib import cli
from bloodlib.analyses import bench
from bloodlib.study import records

FAKE = """
import argparse, itertools, pathlib, sys
from rounds import serve

parser = argparse.ArgumentParser()
parser.add_argument("values", type=float, nargs="+")
parser.add_argument("--answer")
parser.add_argument("--numbers", type=float, nargs="+")
parser.add_argument("--diary")
parser.add_argument("--images")
parser.add_argument("--dies")
options = parser.parse_args()
values = itertools.cycle(options.values)

def measure():
    value = next(values)
    if options.diary:
        with pathlib.Path(options.diary).open("a") as diary:
            diary.write(f"{value:g} ")
    if options.dies:
        raise SystemExit(options.dies)
    answer = options.numbers or options.answer
    print("what a library prints")
    return {"value": value, "extra": 2 * value} | ({"answer": answer} if answer else {})

serve(measure, ("numpy",), **({"images": options.images} if options.images else {}))
"""


@pytest.fixture
def lab(checkout, monkeypatch):
    """A function that lays out rows in a checkout of their own."""
    folder = checkout("profiles: {}\nruns: []\n") / "benchmarks"
    folder.mkdir()
    shutil.copy(CHECKOUT / "benchmarks" / "rounds.py", folder)
    (folder / "fake.py").write_text(FAKE)
    monkeypatch.delenv("BLOODLIB_PYTHONS", raising=False)
    bench._alone.cache_clear()
    bench._python_with.cache_clear()

    def make(**rows):
        common = {"work": "some work", "unit": "s"}
        listed = {name: common | row for name, row in rows.items()}
        (folder / "rows.yml").write_text(yaml.safe_dump(listed, sort_keys=False))
        return folder

    yield make
    bench._alone.cache_clear()
    bench._python_with.cache_clear()


def measured(rounds=2, name="row"):
    return bench.measure(name, rounds)[0]


# ------------------------------------------------------------------------------------- ratios


@pytest.mark.parametrize(
    ("unit", "ours", "best", "ratio"), [("s", 2, "b", 1.5), ("images/s", 4, "a", 0.5)]
)
def test_a_ratio_above_one_means_that_ours_is_better(lab, unit, ours, best, ratio):
    lab(
        row={
            "unit": unit,
            "ours": {"x": "fake.py 2", "y": "fake.py 4"},
            "peers": {"a": "fake.py 8", "b": "fake.py 3"},
        }
    )
    found = measured()
    assert (found["ours"], found["best"], found["ratio"]) == (ours, best, ratio)
    assert found["also"] == ({"y": 4} if ours == 2 else {"x": 2})
    assert found["peers"] == {"a": 8, "b": 3}


def test_medians_of_rounds_are_compared(lab):
    values = [1.0, 9.0, 2.0, 3.0, 2.5]
    lab(row={"ours": {"x": f"fake.py {' '.join(map(str, values))}"}, "peers": {"a": "fake.py 5"}})
    found = measured(rounds=5)
    assert found["ours"] == statistics.median(values)
    assert found["rounds"] == {"x": values, "a": [5] * 5}
    assert found["ratio"] == 2


def test_turns_alternate(lab, tmp_path):
    diary = tmp_path / "diary"
    lab(
        row={
            "ours": {"x": f"fake.py 1 --diary {diary}"},
            "peers": {"a": f"fake.py 2 --diary {diary}", "b": f"fake.py 3 --diary {diary}"},
        }
    )
    measured(rounds=3)
    assert diary.read_text().split() == ["1", "2", "3"] * 3


def test_a_row_may_want_fewer_rounds(lab):
    lab(
        row={"ours": {"x": "fake.py 1"}, "rounds": 2},
        once={"ours": {"x": "fake.py 1"}, "rounds": 1},
    )
    assert len(measured(rounds=7)["rounds"]["x"]) == 2
    assert len(measured(rounds=1)["rounds"]["x"]) == 1
    assert len(measured(rounds=7, name="once")["rounds"]["x"]) == 1


@pytest.mark.parametrize(
    ("target", "peers", "met"),
    [
        (1.4, {"a": "fake.py 3"}, True),
        (1.6, {"a": "fake.py 3"}, False),
        (2, {}, True),
        (1, {}, False),
    ],
)
def test_a_target_is_a_ratio_or_without_peers_the_most(lab, target, peers, met):
    lab(row={"ours": {"x": "fake.py 2"}, "peers": peers, "target": target})
    found = measured()
    assert found["met"] is met
    assert found["ratio"] == (1.5 if peers else None)
    assert ("met" if met else "MISSED") in bench.line(found)


def test_the_limit_is_that_of_the_script_that_is_compared(lab):
    lab(
        row={
            "unit": "images/s",
            "ours": {"x": "fake.py 30", "y": "fake.py 60"},
            "limit": {"x": "fake.py 40", "y": "fake.py 80"},
        }
    )
    found = measured()
    assert (found["ours_is"], found["limit"], found["share"]) == ("y", 80, 0.75)
    assert found["limits"] == {"x": 40, "y": 80}


def test_another_field_can_be_what_counts(lab):
    lab(row={"ours": {"x": "fake.py 3"}, "field": "extra", "ours_is": "x", "ratio": False})
    found = measured()
    assert found["ours"] == 6
    assert found["details"] == {"x": {"extra": 6}}


# ----------------------------------------------------------------------------- who is not there


def test_a_peer_that_is_not_installed_is_named_and_how_to_install_it(lab, monkeypatch):
    monkeypatch.setitem(bench.INSTALL, "no_such_module", "pip install this-one")
    lab(
        row={
            "ours": {"x": "fake.py 1"},
            "peers": {"a": {"run": "fake.py 9", "needs": "no_such_module"}, "b": "fake.py 2"},
        }
    )
    found = measured()
    assert found["peers"] == {"a": None, "b": 2}
    assert found["ratio"] == 2
    (note,) = found["notes"]
    assert note.startswith("a: no_such_module is not installed. pip install this-one, or name a")
    assert "BLOODLIB_PYTHONS" in note
    assert "–" in bench.text({"machine": bench._machine(), "rows": [found]})


@made_up.posix
def test_it_is_looked_for_in_other_pythons(lab, tmp_path, monkeypatch):
    (tmp_path / "only here").mkdir()
    (tmp_path / "only here" / "rare_module.py").write_text("")
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nPYTHONPATH='{tmp_path}/only here':$PYTHONPATH\nexport PYTHONPATH\n"
        f'exec {shlex.quote(sys.executable)} "$@"\n'
    )
    python.chmod(0o755)
    monkeypatch.setenv("BLOODLIB_PYTHONS", os.pathsep.join([sys.executable, str(python)]))
    rare = {"run": "fake.py 2", "needs": "rare_module"}
    lab(row={"ours": {"x": "fake.py 1"}, "peers": {"a": rare}})
    found = measured()
    assert (found["peers"], found["notes"]) == ({"a": 2}, [])


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_peer_that_fails_is_named_with_its_last_words(lab, rounds):
    lab(
        row={
            "ours": {"x": "fake.py 1"},
            "peers": {"a": "fake.py 1 --dies 'out of luck'", "b": "nowhere.py", "c": "fake.py 3"},
        }
    )
    found = measured(rounds)
    assert found["peers"] == {"a": None, "b": None, "c": 3}
    assert any(note.startswith("a: fake.py ended with 1: out of luck") for note in found["notes"])
    assert any(note.startswith("b: nowhere.py ended with 2") for note in found["notes"])


def test_where_ours_fails_nothing_is_measured(lab, folders, capsys):
    lab(row={"ours": {"x": "fake.py 1 --dies 'no good'"}, "peers": {"a": "fake.py 2"}})
    assert cli.main(["bench", "--freeze"]) == 1
    said = capsys.readouterr()
    assert "bloodlib: x: fake.py ended with 1: no good" in said.err
    assert "Traceback" not in said.err
    assert not (folders.results / bench.FILE).exists()


def test_no_script_outlives_its_row(lab, monkeypatch):
    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    lab(row={"ours": {"x": "fake.py 1"}, "peers": {"a": "fake.py 1 --dies now"}})
    measured()
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)


# ------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize(
    ("answers", "more", "apart", "agree"),
    [
        (("0123", "0123"), {}, 0, True),
        (("0123", "0120"), {}, 1, False),
        (("0123", "01"), {}, 2, False),
    ],
)
def test_texts_must_be_the_same(lab, answers, more, apart, agree):
    one, other = answers
    lab(
        row={
            "ours": {"x": f"fake.py 1 --answer {one}"},
            "peers": {"a": f"fake.py 2 --answer {other}"},
            "check": "labels",
        }
    )
    assert measured()["correct"] == {
        "what": "labels", "from": "x", "apart": {"x": 0, "a": apart}, "agree": agree,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "other", "agree"),
    [
        ("a", 4.02, True),
        ("a", 4.1, False),
        ("a mixed_bfloat16", 4.1, True),
        ("a bfloat16", 5, False),
    ],
)
def test_numbers_may_be_a_little_apart_and_those_of_16_bits_a_little_more(lab, name, other, agree):
    lab(
        row={
            "ours": {"x": "fake.py 1 --numbers 1 4"},
            "peers": {name: f"fake.py 2 --numbers 1 {other}"},
            "check": "losses",
            "within": 0.01,
        }
    )
    found = measured()["correct"]
    assert found["agree"] is agree
    assert found["apart"][name] == pytest.approx(other / 4 - 1, rel=1e-3)


def test_a_peer_that_is_known_to_differ_is_not_compared(lab, capsys):
    lab(
        row={
            "ours": {"x": "fake.py 1 --answer same"},
            "peers": {"a": "fake.py 2 --answer same", "b": "fake.py 2 --answer other"},
            "check": "pixels",
            "differs": ["b"],
        }
    )
    assert measured()["correct"]["apart"] == {"x": 0, "a": 0}
    assert cli.main(["bench", "--rounds", "1"]) == 0


@pytest.mark.parametrize(("last", "agree"), [(2.4, True), (9.0, False)])
def test_curves_must_run_where_one_more_of_the_others_would(lab, last, agree):
    peers = {f"seed {k}": f"fake.py 1 --numbers {5 + 0.1 * k} {2 + 0.2 * k}" for k in range(5)}
    lab(
        row={
            "ours": {"x": f"fake.py 1 --numbers 5.2 {last}"},
            "peers": peers,
            "check": "losses",
            "spread": True,
            "rounds": 1,
        }
    )
    found = measured()["correct"]
    assert found["inside"] == {"x": 1.0 if agree else 0.5}
    assert found["agree"] is agree


def test_answers_that_differ_end_in_1(lab, capsys):
    lab(
        row={
            "ours": {"x": "fake.py 1 --answer a"},
            "peers": {"a": "fake.py 2 --answer b"},
            "check": "labels",
        }
    )
    assert cli.main(["bench", "--rounds", "1"]) == 1
    assert "ANSWERS DIFFER" in capsys.readouterr().out


# ---------------------------------------------------------------------------------- the command


def test_json_is_all_that_is_on_standard_output(lab, capsys):
    lab(
        first={"ours": {"x": "fake.py 1"}, "peers": {"a": "fake.py 2"}},
        second={"ours": {"x": "fake.py 3"}},
    )
    assert cli.main(["bench", "--json", "--rounds", "2"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert set(found) == {"machine", "rows"}
    assert {"processor", "platform", "python", "packages", "memory_gb"} <= set(found["machine"])
    assert "numpy" in found["machine"]["packages"]
    assert [row["row"] for row in found["rows"]] == ["first", "second"]
    for row in found["rows"]:
        assert {"work", "unit", "ours", "peers", "ratio", "limit", "correct"} <= set(row)
        assert set(row["made"]) == {"started", "commit", "seconds", "load", "others"}
        assert 0 <= row["made"]["others"] <= 1
    lines = [line for line in said.err.splitlines() if line.startswith("[")]
    assert [line.split()[:2] for line in lines] == [["[1/2]", "first"], ["[2/2]", "second"]]


def test_in_a_terminal_machine_versions_and_ratios(lab, capsys):
    lab(row={"ours": {"x": "fake.py 1"}, "peers": {"a peer": "fake.py 2"}, "note": "As noted."})
    assert cli.main(["bench", "--rounds", "1"]) == 0
    said = capsys.readouterr().out
    assert records.processor() in said
    assert "numpy" in said
    assert "2 times as good as a peer; 1 s (x)" in said
    assert "As noted." in said


def test_only_some_rows(lab, capsys):
    rows = {name: {"ours": {"x": "fake.py 1"}} for name in ("training", "svm-500", "book")}
    lab(**rows)
    assert cli.main(["bench", "--json", "--only", "book", "--only", "training"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in found["rows"]] == ["training", "book"]


def test_a_row_that_is_not_there_is_refused_with_a_suggestion(lab, capsys):
    lab(training={"ours": {"x": "fake.py 1"}})
    assert cli.main(["bench", "--only", "trainign"]) == 1
    assert capsys.readouterr().err == (
        "bloodlib: there is no row 'trainign'. Did you mean 'training'?\n"
    )


def test_no_rounds_are_refused(lab, capsys):
    lab(row={"ours": {"x": "fake.py 1"}})
    assert cli.main(["bench", "--rounds", "0"]) == 1
    assert "one is the least" in capsys.readouterr().err


def test_long_rows_are_asked_for_and_go_on_where_they_were(lab, folders, tmp_path, monkeypatch):
    diary = tmp_path / "diary"
    lab(
        short={"ours": {"x": "fake.py 1"}},
        slow={"ours": {"x": f"fake.py 2 --diary {diary}"}, "rounds": 1, "long": True},
    )
    assert bench.chosen([]) == ["short"]
    assert bench.chosen([], full=True) == ["short", "slow"]
    assert bench.chosen(["slow"]) == ["slow"]
    for commit, turns in (("abc", 1), ("abc", 1), ("abd", 2), ("abd-dirty", 3), ("abd-dirty", 4)):
        monkeypatch.setattr(records, "commit", lambda commit=commit: commit)
        bench._alone.cache_clear()
        assert measured(name="slow")["ours"] == 2
        assert len(diary.read_text().split()) == turns, commit


def test_two_rows_about_one_script_start_it_once(lab, tmp_path):
    diary = tmp_path / "diary"
    row = {"ours": {"x": f"fake.py 2 --diary {diary}"}, "rounds": 1}
    lab(one=row, other=row | {"field": "extra"})
    found = bench.run(["one", "other"])["rows"]
    assert [row["ours"] for row in found] == [2, 4]
    assert diary.read_text().split() == ["2"]


def test_drawn_images_are_said_to_be_drawn(lab):
    lab(
        row={"ours": {"x": "fake.py 1 --images drawn"}},
        real={"ours": {"x": "fake.py 1 --images published"}},
        none={"ours": {"x": "fake.py 1"}},
    )
    found = {name: measured(name=name) for name in ("row", "real", "none")}
    assert [row["images"] for row in found.values()] == ["drawn", "published", None]
    assert found["row"]["notes"] == ["Drawn images stand in for the published ones."]
    text = bench.text({"machine": bench._machine(), "rows": [found["row"]]})
    assert "some work (drawn images)" in text


def test_other_work_on_the_machine_is_told(lab, monkeypatch, capsys):
    lab(row={"ours": {"x": "fake.py 1"}})
    for load, told in ((0.0, False), (64.0, True)):
        monkeypatch.setattr(bench, "_load", lambda load=load: load)
        found = bench.run(["row"], 1)
        assert ("The machine has other work" in capsys.readouterr().err) is told
        assert found["rows"][0]["made"]["load"] == load


# ------------------------------------------------------------------------------------- freezing


@pytest.fixture
def frozen(lab, folders):
    """Two rows, frozen."""
    lab(
        a={"ours": {"x": "fake.py 1"}},
        b={"ours": {"x": "fake.py 2 3"}},
        c={"ours": {"x": "fake.py 5"}},
    )
    bench.run(["c", "b"], 1, keep=True)
    return folders.results / bench.FILE


def test_freezing_keeps_what_was_not_measured_again(frozen):
    assert [row["row"] for row in bench.read()["rows"]] == ["b", "c"]
    before = bench.row("c")
    bench.freeze(bench.run(["a", "b"], 2))
    assert [row["row"] for row in bench.read()["rows"]] == ["a", "b", "c"]
    assert bench.row("c") == before
    assert bench.row("b")["ours"] == 2.5
    assert [path.name for path in frozen.parent.glob("*bench*")] == [bench.FILE]


def test_frozen_numbers_of_another_machine_are_not_mixed_in(frozen, monkeypatch, capsys):
    content, found = frozen.read_bytes(), bench.run(["a"], 1)
    monkeypatch.setattr(records, "processor", lambda: "another processor")
    found["machine"] |= {"processor": "another processor"}
    with pytest.raises(ValueError, match="is from another machine"):
        bench.freeze(found)
    capsys.readouterr()
    assert cli.main(["bench", "--freeze"]) == 1
    said = capsys.readouterr().err
    assert "is from another machine" in said
    assert "[1/" not in said  # nothing was measured in vain
    assert frozen.read_bytes() == content


def test_a_disk_that_fails_leaves_what_was_there(frozen, monkeypatch):
    content, found = frozen.read_bytes(), bench.run(["a"], 1)

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="the disk is full"):
        bench.freeze(found)
    assert frozen.read_bytes() == content
    assert [path.name for path in frozen.parent.glob("*bench*")] == [bench.FILE]
    assert not list(frozen.parent.glob(".*"))


def test_what_was_measured_before_a_failure_is_kept(frozen, lab, folders):
    lab(a={"ours": {"x": "fake.py 8"}}, b={"ours": {"x": "fake.py 1 --dies now"}})
    assert cli.main(["bench", "--freeze", "--rounds", "1"]) == 1
    assert {row["row"]: row["ours"] for row in bench.read()["rows"]} == {"a": 8, "b": 2}


def test_a_row_that_was_not_frozen_says_how_to_measure_it(frozen):
    with pytest.raises(bench.MissingRowError, match="bloodlib bench --only a --freeze"):
        bench.row("a")
    frozen.unlink()
    with pytest.raises(bench.MissingRowError, match="bloodlib bench --freeze"):
        bench.read()


# ---------------------------------------------------------------------------- the real rows


def test_operations_of_a_training_image():
    """By hand: 4 x 6 and 2 x 4 places, 27 and 288 factors; 128 pooled numbers, 3 and 2 nodes."""
    first, second, dense = 4 * 6 * 32 * 27, 2 * 4 * 64 * 288, 1 * 2 * 64 * 3 + 3 * 2
    assert bench.operations((6, 8), 3, 2) == 2 * (2 * first + 3 * second + 3 * dense)
    assert bench.operations() == pytest.approx(0.54e9, rel=0.01)


def test_every_row_is_well_formed():
    known = {
        "work", "unit", "ours", "peers", "limit", "ours_is", "target", "check", "within", "spread",
        "differs", "field", "ratio", "rounds", "long", "note",
    }  # fmt: skip
    folder = CHECKOUT / "benchmarks"
    for name, row in yaml.safe_load((folder / "rows.yml").read_text()).items():
        assert {"work", "unit", "ours"} <= set(row) <= known, name
        assert row.get("ours_is", next(iter(row["ours"]))) in row["ours"], name
        assert set(row.get("differs", ())) <= set(row.get("peers", ())), name
        assert not set(row["ours"]) & set(row.get("peers", ())), name
        for script in (
            s for role in ("ours", "peers", "limit") for s in row.get(role, {}).values()
        ):
            run = script["run"] if isinstance(script, dict) else script
            options = arguments(folder / run.split()[0])
            for word in run.split()[1:]:
                assert not word.startswith("--") or word in options, (name, run)


def arguments(script):
    """Options that a script, or what it takes them from, knows."""
    texts = [script.read_text(), (script.parent / "steps.py").read_text()]
    calls = [n for text in texts for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    return {a.value for c in calls if getattr(c.func, "attr", "") == "add_argument" for a in c.args}


@pytest.fixture
def script(tmp_path, monkeypatch):
    """A function that runs a real script for one turn, on drawn images."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "no images"))
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(CHECKOUT)

    def run(words, needs=""):
        with bench._script(words, needs) as turns:
            ready = next(turns)
            return types.SimpleNamespace(ready=ready, **next(turns))

    return run


def test_machines_that_compute_their_kernel_alike_predict_alike(script):
    ours, plain = script("svm.py --images 60"), script("svm.py --images 60 --plain --one-thread")
    assert ours.ready["images"] == plain.ready["images"] == "drawn"
    assert ours.answer == plain.answer
    assert len(ours.answer) == 2 * 15
    assert len(set(ours.answer)) > 1
    assert 0 < ours.value < plain.value + 10


def test_decoders_give_the_same_pixels(script):
    ours, loop = script("decoding.py --images 8"), script("decoding.py --images 8 --by loop")
    assert ours.answer == loop.answer
    assert min(ours.value, loop.value) > 0


def test_photographs_are_found_by_one_process_as_by_two(script):
    one, two = (script(f"photographs.py --images 6 --processes {n}") for n in (1, 2))
    assert one.answer == two.answer


@pytest.mark.parametrize("words", ["start.py import", "start.py help", "loading.py"])
def test_seconds_of_what_is_quick(script, words):
    assert 0 < script(words).value < 30


TINY = "--size 12 16 --batch 4 --images 96 --seconds 0"


def test_training_scripts_take_the_same_steps(script):
    pytest.importorskip("tensorflow")
    ours = script(f"train_ours.py {TINY} --check --augment")
    assert ours.ready["images"] == "drawn"
    assert ours.value > 0
    assert ours.peak_gb is None or 0.1 < ours.peak_gb < 8
    for words, needs in (
        ("train_keras.py --augment", ""),
        ("train_torch.py", "torch"),
        ("train_keras.py --backend jax", "jax"),
    ):
        try:
            found = script(f"{words} {TINY} --check", needs)
        except ModuleNotFoundError:
            continue
        assert found.value > 0
        assert found.answer == pytest.approx(ours.answer, rel=1e-3), words
    assert len(set(ours.answer)) == len(ours.answer)


def test_the_parts_of_a_step(script):
    pytest.importorskip("tensorflow")
    from bloodlib.analyses import cost

    for more in ("--stock", "--precision mixed_bfloat16"):
        found = script(f"pieces.py {more} {TINY}")
        assert set(found.parts) == set(cost.PARTS)
        assert all(value > 0 for value in found.parts.values())
        assert found.value > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells nothing of ended children")
def test_what_other_programs_take_is_counted_and_what_scripts_take_is_not():
    burn = [sys.executable, "-c", "import time\nwhile time.process_time() < 1: pass"]
    before = bench._others()
    subprocess.run(burn, check=True)
    own = bench._others() - before
    # another program's child, which is not ours to wait for
    shell = f"import subprocess, sys; subprocess.Popen({burn!r})"
    subprocess.run([sys.executable, "-c", shell], check=True)
    time.sleep(3)
    other = bench._others() - before - own
    assert other > 0.5
    assert own < other

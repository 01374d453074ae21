"""What everything costs, measured side by side: ``bloodlib bench``.

``benchmarks/rows.yml`` lists what is compared: a row has scripts of ours, scripts of peers, and
perhaps one that measures what the machine can do at most. All scripts of a row are started, get
ready, and are then given turns, round after round, each with the whole machine to itself; the
medians of the rounds are compared. ``results/bench.json`` keeps a frozen measurement.
"""

import contextlib
import functools
import hashlib
import importlib.util
import itertools
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil

from bloodlib.data import images, paths
from bloodlib.models import methods
from bloodlib.models.training import INSTALL
from bloodlib.study import records

FILE = "bench.json"


class MissingRowError(LookupError):
    """A row that is not among the frozen ones; the message says how to measure it."""


class BenchmarkError(ChildProcessError):
    """A script that failed; the message has its last words."""


# ---------------------------------------------------------------------------------- what there is


def rows() -> dict[str, dict]:
    """What can be measured, by name: ``benchmarks/rows.yml``, which describes its entries."""
    import yaml

    return yaml.safe_load((_folder() / "rows.yml").read_text(encoding="utf-8"))


def chosen(only: list[str], full: bool = False) -> list[str]:
    """Names of the rows to measure: those named, or all but the long ones, or all.

    Raises
    ------
    ValueError
        If there is no row of a name.
    """
    known = rows()
    for name in only:
        if name not in known:
            raise ValueError(f"there is no row {name!r}. {methods.suggest(name, known)}")
    if only:
        return [name for name in known if name in only]
    told = importlib.util.find_spec("resource") is not None  # Windows doesn't tell memory
    return [
        name
        for name, listed in known.items()
        if (full or not listed.get("long")) and (told or listed.get("field") != "peak_gb")
    ]


def operations(size: tuple[int, int] = (60, 80), hidden: int = 128, classes: int = 4) -> int:
    """Additions and multiplications of DCLNN for one training image, forward and backward.

    Backward, each layer has as many again for its weights, and for what came in, which only the
    first one doesn't need.

    Parameters
    ----------
    size : tuple of int
        Height and width of the image.
    hidden, classes : int
        Nodes of the hidden layer and of the output.
    """
    height, width = size
    first = (height - 2) * (width - 2) * 32 * 9 * 3
    second = (height - 4) * (width - 4) * 64 * 9 * 32
    dense = ((height - 4) // 2) * ((width - 4) // 2) * 64 * hidden + hidden * classes
    return 2 * (2 * first + 3 * (second + dense))


# ------------------------------------------------------------------------------------ measuring


def run(names: list[str], rounds: int = 5, keep: bool = False) -> dict:
    """Measure rows, one after the other; a line on standard error for each.

    Parameters
    ----------
    names : list of str
        See :func:`chosen`.
    rounds : int
        How often each script of a row has its turn, unless the row wants fewer.
    keep : bool
        Whether to :func:`freeze` each row when it is measured.

    Returns
    -------
    dict
        ``machine``; ``rows``, see :func:`measure`.

    Raises
    ------
    BenchmarkError
        If a script of ours fails.
    ValueError
        If there are no rounds, or the frozen rows are from another machine.
    """
    if rounds < 1:
        raise ValueError(f"{rounds} rounds are too few: one is the least")
    machine, found = _machine(), []
    if keep and (paths.results_folder() / FILE).exists():
        _same_machine(read()["machine"], machine)
    if _load() > 0.25 * (os.cpu_count() or 1):
        _tell(f"The machine has other work (load {_load()}): the numbers will be about that too.\n")
    for number, name in enumerate(names, 1):
        _tell(f"[{number}/{len(names)}] {name} ... ")
        row, versions = measure(name, rounds)
        machine["packages"] |= versions
        found.append(row)
        _tell(f"{line(row)}, in {row['made']['seconds']:.0f} s\n")
        if keep:
            freeze({"machine": machine, "rows": [row]})
    return {"machine": machine, "rows": found}


def measure(name: str, rounds: int = 5) -> tuple[dict, dict[str, str]]:
    """Measure one row.

    Parameters
    ----------
    name : str
        A key of :func:`rows`.
    rounds : int
        How often each script has its turn, unless the row wants fewer.

    Returns
    -------
    row : dict
        ``row``, its name; ``work``, ``unit``; ``ours``, the median of our script ``ours_is``, and
        ``also``, those of our others; ``peers``, medians by name, None for one that is not
        installed or failed; ``best``, the best peer; ``ratio``, how many times better ours is:
        above 1 always means that ours is better; ``target``, and whether it is ``met``;
        ``limit``, what the machine can do with the script ``ours_is``, ``limits`` by name, and
        ``share``, how near ours comes to it; ``correct``, what was compared, how far the answers
        are apart, and whether they agree; ``images``, published or drawn; ``rounds``, each value
        by name; ``peak_gb``; ``details``, what else the last round of a script told; ``notes``;
        ``made``: when, by which commit, in how many seconds, the load of the machine before, and
        the share of its processors that other programs took meanwhile.
    versions : dict of str to str
        Of the packages that were used.

    Raises
    ------
    BenchmarkError
        If a script of ours fails.
    """
    listed = rows()[name]
    started, clock, load, busy = datetime.now(UTC), time.monotonic(), _load(), _others()
    roles = {
        role: {
            label: script if isinstance(script, dict) else {"run": script}
            for label, script in listed.get(role, {}).items()
        }
        for role in ("ours", "peers", "limit")
    }
    told, notes = _take(roles, min(rounds, listed.get("rounds", rounds)), listed.get("long", False))
    field = listed.get("field", "value")

    def medians(role):
        return {
            label: _short(statistics.median(turn[field] for turn in told[role, label]["turns"]))
            if (role, label) in told
            else None
            for label in roles[role]
        }

    seconds = time.monotonic() - clock
    better = max if listed["unit"].endswith("/s") else min
    ours, peers, limits = map(medians, roles)
    first = listed.get("ours_is") or better(ours, key=ours.get)
    value = ours.pop(first)
    running = {label: value for label, value in peers.items() if value is not None}
    best = better(running, key=running.get) if running else None
    comparable = best and listed.get("ratio", True)
    ratio = _ratio(value, running[best], better) if comparable else None
    limit = limits.get(first, next(iter(limits.values()), None))
    target, met = listed.get("target"), None
    if target is not None:
        met = value <= target if ratio is None else ratio >= target
    compared = {label: of for (role, label), of in told.items() if role != "limit"}
    sources = {of["ready"].get("images") for of in compared.values()} - {None}
    notes = ([listed["note"]] if "note" in listed else []) + notes
    if "drawn" in sources:
        notes.append("Drawn images stand in for the published ones.")
    row = {
        "row": name,
        "work": listed["work"],
        "unit": listed["unit"],
        "ours": value,
        "ours_is": first,
        "also": ours,
        "peers": peers,
        "best": best,
        "ratio": ratio,
        "target": target,
        "met": met,
        "limit": limit,
        "limits": limits,
        "share": _ratio(value, limit, better) if limit else None,
        "correct": _compare(listed, compared, list(roles["ours"])),
        "images": min(sources, default=None),  # drawn, if any were
        "rounds": {
            label: [_short(turn[field]) for turn in of["turns"]] for label, of in compared.items()
        },
        "peak_gb": {label: of["turns"][-1].get("peak_gb") for label, of in compared.items()},
        "details": {
            label: kept
            for label, of in compared.items()
            if (kept := {k: v for k, v in of["turns"][-1].items() if k not in _KNOWN})
        },
        "notes": notes,
        "made": {
            "started": started.isoformat(timespec="seconds"),
            "commit": records.commit(),
            "seconds": round(seconds, 1),
            "load": load,
            "others": round(max(0, (_others() - busy) / (seconds * os.cpu_count())), 3),
        },
    }
    versions = {}
    for of in told.values():
        versions |= of["ready"].get("versions", {})
    return row, versions


def line(row: dict) -> str:
    """A row in one line: ratios first."""
    parts = []
    if row["ratio"] is not None:
        parts.append(f"{row['ratio']:g} times as good as {row['best']}")
    parts.append(f"{row['ours']:g} {row['unit']} ({row['ours_is']})")
    if row["share"] is not None:
        parts.append(f"{row['share']:.0%} of what the machine can do")
    if row["target"] is not None:
        parts.append(f"target {row['target']:g} {'met' if row['met'] else 'MISSED'}")
    if row["correct"]:
        parts.append("answers agree" if row["correct"]["agree"] else "ANSWERS DIFFER")
    return "; ".join(parts)


def text(found: dict) -> str:
    """Machine and rows, to be read in a terminal."""
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    lines = [
        f"{machine['processor']}, {machine['memory_gb']} GB, {machine['platform']}",
        f"Python {machine['python']}, {packages}",
    ]
    for row in found["rows"]:
        lines += ["", row["work"] + (" (drawn images)" if row["images"] == "drawn" else "")]
        lines.append(f"    {line(row)}")
        for label, value in (row["also"] | row["peers"]).items():
            value = "–" if value is None else f"{value:g} {row['unit']}"
            lines.append(f"    {label:32} {value}")
        lines += [f"    {note}" for note in row["notes"]]
    return "\n".join(lines)


# --------------------------------------------------------------------------------- frozen numbers


def read() -> dict:
    """The frozen measurement.

    Raises
    ------
    MissingRowError
        If there is none.
    ValueError
        If the file holds something else.
    """
    path = paths.results_folder() / FILE
    try:
        found = json.loads(path.read_bytes())
        whole = isinstance(found["machine"], dict) and all("row" in one for one in found["rows"])
    except FileNotFoundError:
        raise MissingRowError(f"there is no {path}. 'bloodlib bench --freeze' makes it.") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(
            f"{path} can't be read ({error!r}). 'git checkout results' restores it."
        ) from error
    if not whole:
        raise ValueError(f"{path} holds no rows. 'git checkout results' restores it.")
    return found


def row(name: str) -> dict:
    """A frozen row, see :func:`measure`.

    Raises
    ------
    MissingRowError
        If it was not measured yet.
    """
    for found in read()["rows"]:
        if found["row"] == name:
            return found
    raise MissingRowError(
        f"{FILE} has no row {name!r}. 'bloodlib bench --only {name} --freeze' measures it."
    )


def freeze(found: dict) -> Path:
    """Write a measurement to ``results/bench.json``; rows of before that were not measured stay.

    Raises
    ------
    ValueError
        If those of before are from another machine.
    """
    path = paths.results_folder() / FILE
    machine, kept = found["machine"], {}
    if path.exists():
        before = read()
        _same_machine(before["machine"], machine)
        packages = before["machine"]["packages"] | machine["packages"]
        machine = machine | {"packages": packages}
        kept = {one["row"]: one for one in before["rows"]}
    kept |= {one["row"]: one for one in found["rows"]}
    content = {"machine": machine, "rows": [kept[name] for name in rows() if name in kept]}
    records.replace(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def _same_machine(before, machine):
    for what in ("processor", "platform"):
        if before[what] != machine[what]:
            raise ValueError(
                f"{paths.results_folder() / FILE} is from another machine ({before[what]}), and "
                "times of two machines can't be compared. Remove it, and freeze all rows again."
            )


# ------------------------------------------------------------------------------------- processes

#: What a script tells of a turn that has a place of its own in a row.
_KNOWN = ("value", "answer", "peak_gb")


def _take(roles, rounds, long):
    """Let all scripts have their turns: what they told by role and label, and who is missing."""
    told, notes = {}, []

    @contextlib.contextmanager
    def noted(role, label):
        try:
            yield
        except (BenchmarkError, ModuleNotFoundError) as error:
            told.pop((role, label), None)
            if role == "ours":
                raise BenchmarkError(f"{label}: {error}") from error
            notes.append(f"{label}: {error}")

    everybody = [(role, label) for role, found in roles.items() for label in found]
    if rounds == 1:  # nothing to take turns with: each in its own time
        for role, label in everybody:
            with noted(role, label):
                told[role, label] = _alone(json.dumps(roles[role][label]), long)
        return told, notes
    with contextlib.ExitStack() as stack:
        running = {}
        for role, label in everybody:
            with noted(role, label):
                running[role, label] = stack.enter_context(_script(**roles[role][label]))
        for key, script in running.items():
            with noted(*key):
                told[key] = {"ready": next(script), "turns": []}
        for _ in range(rounds):
            for key in list(told):
                with noted(*key):
                    told[key]["turns"].append(next(running[key]))
    return told, notes


@functools.cache
def _alone(script, long):
    """What a script tells that has the machine to itself for one turn, remembered.

    That of a long one is kept in the user's cache, so that a row that was stopped goes on.
    """
    commit = records.commit()
    key = hashlib.sha256(json.dumps([script, commit, _source()]).encode()).hexdigest()[:16]
    path = paths.cache_folder() / "bench" / f"{key}.json"
    keep = long and commit and not commit.endswith("-dirty")
    if keep and path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    with _script(**json.loads(script)) as turns:
        told = {"ready": next(turns), "turns": [next(turns)]}
    if keep:
        path.parent.mkdir(parents=True, exist_ok=True)
        records.replace(path, json.dumps(told).encode())
    return told


@contextlib.contextmanager
def _script(run: str, needs: str = "") -> Iterator[Iterator[dict]]:
    """Start a script of ``benchmarks/``; what it tells, first that it is ready, then of its turns.

    Raises
    ------
    ModuleNotFoundError
        If no Python has what it needs.
    BenchmarkError
        If it ends.
    """
    python = _python_with(needs)
    script, *arguments = shlex.split(run)
    inside = str(Path(__file__).parents[2])
    before = os.environ.get("PYTHONPATH")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (inside, before))),
        "CUDA_VISIBLE_DEVICES": "-1",  # all is about the processor
        "KERAS_BACKEND": "tensorflow",
    }
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        process = subprocess.Popen(  # noqa: S603
            [python, str(_folder() / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
        )

        def turns():
            while True:
                said = process.stdout.readline()
                if not said:
                    process.wait()
                    errors.seek(0)
                    words = errors.read().strip().splitlines() or ["no word"]
                    raise BenchmarkError(f"{script} ended with {process.returncode}: {words[-1]}")
                if said.startswith("{"):
                    yield json.loads(said)
                    with contextlib.suppress(BrokenPipeError):  # its last words are read above
                        process.stdin.write("\n")
                        process.stdin.flush()

        try:
            yield turns()
            with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
                process.stdin.close()  # its last line: it ends, and waits for its own children
                process.wait(timeout=30)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()


@functools.cache
def _python_with(module):
    """The Python that runs this, or the first of ``BLOODLIB_PYTHONS`` that has a module."""
    if not module:
        return sys.executable
    listed = os.environ.get("BLOODLIB_PYTHONS", "").split(os.pathsep)
    look = f"import importlib.util as u; raise SystemExit(u.find_spec({module!r}) is None)"
    for python in [sys.executable, *filter(None, listed)]:
        if subprocess.run([python, "-c", look], check=False).returncode == 0:  # noqa: S603
            return python
    raise ModuleNotFoundError(
        f"{module} is not installed. {INSTALL.get(module, f'pip install {module}')}, or name a "
        "Python that has it in BLOODLIB_PYTHONS."
    )


# ------------------------------------------------------------------------------------- comparing


def _compare(listed, told, ours):
    """Whether all answered alike: what was compared, how far they are apart, and from whom."""
    answers = {
        label: of["turns"][-1]["answer"]
        for label, of in told.items()
        if "answer" in of["turns"][-1] and label not in listed.get("differs", ())
    }
    if len(answers) < 2 or "check" not in listed:
        return None
    if listed.get("spread"):
        return {"what": listed["check"]} | _spread(answers, ours)
    first = next(iter(answers))
    within = listed.get("within", 0)
    apart = {label: _apart(answer, answers[first]) for label, answer in answers.items()}
    agree = all(
        value <= (10 * within if "bfloat16" in label else within) for label, value in apart.items()
    )
    return {"what": listed["check"], "from": first, "apart": apart, "agree": agree}


def _apart(answer, other):
    """How far two answers are apart: places of a text, or the largest difference by the value."""
    if isinstance(answer, str):
        return sum(a != b for a, b in itertools.zip_longest(answer, other))
    return _short(max(abs(a / b - 1) for a, b in zip(answer, other, strict=True)))


def _spread(answers, ours):
    """Whether curves of ours run where one more of the others' would, nine times in ten.

    That is within the 95% prediction interval of a normal distribution, point by point.
    """
    import numpy as np
    from scipy.stats import t

    others = np.array([answer for label, answer in answers.items() if label not in ours])
    n = len(others)
    if n < 2:
        return {"inside": {}, "agree": False}
    reach = t.ppf(0.975, n - 1) * others.std(axis=0, ddof=1) * np.sqrt(1 + 1 / n)
    inside = {
        label: float((np.abs(np.array(answers[label]) - others.mean(axis=0)) <= reach).mean())
        for label in ours
    }
    return {"inside": inside, "agree": min(inside.values()) >= 0.9}


def _ratio(ours, other, better):
    """How many times better ours is."""
    return _short(ours / other if better is max else other / ours)


def _short(value):
    """Four digits: no clock tells more."""
    return float(f"{value:.4g}")


# --------------------------------------------------------------------------------------- machine


def _machine():
    found = records.environment("", "")
    del found["commit"], found["backend"]
    return found | {"memory_gb": round(psutil.virtual_memory().total / 1e9)}


def _others():
    """Seconds of processors that were used, or withheld, but not by this program or its scripts."""
    spent, own = psutil.cpu_times(), psutil.Process().cpu_times()
    busy = ("user", "nice", "system", "irq", "softirq", "steal")
    mine = own.user + own.system + own.children_user + own.children_system  # Windows: no children
    return sum(getattr(spent, name, 0) for name in busy) - mine


def _load():
    """How many processes wanted to run in the last minute, on average."""
    return round(psutil.getloadavg()[0], 2)


def _source():
    return "published" if images.available() else "drawn"


def _folder():
    return paths.checkout() / "benchmarks"


def _tell(words):
    print(words, end="", file=sys.stderr, flush=True)

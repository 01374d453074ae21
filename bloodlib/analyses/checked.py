"""How this book was tested: what ``make check`` found, frozen in ``results/check.json``."""

import json

import pandas as pd

from bloodlib.data import paths
from bloodlib.study import records

FILE = "check.json"
#: The headings under which faults are tried, in the order of the chapter, and what they are about.
HEADINGS = {
    "fetching": "Fetching the images",
    "images": "Images that are wrong",
    "records": "Records of runs",
    "training": "Training",
    "book": "Building the book",
    "load": "Many runs",
    "security": "Hostile input",
}


def freeze(found: dict) -> None:
    """Keep what was found."""
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    paths.write_atomically(paths.results_folder() / FILE, text.encode())


def read() -> dict:
    """What was found.

    Returns
    -------
    dict
        ``command``, ``environment`` (:func:`bloodlib.study.stored.environment`), ``started``,
        ``seconds``; ``faults``: for each heading ``tried``, ``survived``, ``skipped``, ``times``
        and fuzzed ``inputs``; ``mutants``: for each module ``mutants``, ``tried``, ``killed`` and
        ``survivors``; ``coverage``: for each module its ``branches`` and those ``reached``.

    Raises
    ------
    bloodlib.study.records.MissingRecordError
        If it was not frozen.
    bloodlib.study.records.RecordError
        If it can't be read.
    """
    path = paths.results_folder() / FILE
    remedy = "`make check-freeze` makes it; 'git checkout results' restores it."
    try:
        found = json.loads(path.read_bytes())
        tally(found)
    except FileNotFoundError:
        raise records.MissingRecordError(f"there is no {path}. {remedy}") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise records.RecordError(f"{path} can't be read ({error}). {remedy}") from error
    return found


def totals(found: dict) -> dict[str, int]:
    """Sums over headings and modules: ``tried``, ``survived``, ``times``, ``inputs``, ``mutants``.

    ``mutants`` are those that were tried, ``killed`` those of them that a test noticed.
    """
    sums = {
        what: sum(one[what] for one in found["faults"].values())
        for what in ("tried", "survived", "skipped", "times", "inputs")
    }
    tried = found["mutants"].values()
    return sums | {
        "mutants": sum(one["tried"] for one in tried),
        "killed": sum(one["killed"] for one in tried),
    }


def tally(found: dict) -> str:
    """The tally in a line."""
    n = totals(found)
    skipped = f" ({n['skipped']} not tried here)" if n["skipped"] else ""
    return (
        f"faults: {n['tried']} tried, {n['survived']} survived{skipped}; "
        f"fuzzed: {n['inputs']:,} inputs; mutants: {n['killed']} of {n['mutants']} killed"
    )


def unnoticed(found: dict) -> float:
    """The largest share of mutants that no test notices, with 95 % confidence (Clopper, Pearson).

    As if those tried were drawn from all, and the next one too.
    """
    from scipy.stats import beta

    n = totals(found)
    left = n["mutants"] - n["killed"]
    return float(beta.ppf(0.95, left + 1, n["killed"])) if n["killed"] else 1.0


def load_faults(found: dict) -> pd.DataFrame:
    """Faults by heading."""
    return pd.DataFrame(
        [
            {
                "What": words,
                "Faults": found["faults"][name]["tried"],
                "Survived": found["faults"][name]["survived"],
                "Times tried": found["faults"][name]["times"],
                "Inputs fuzzed": found["faults"][name]["inputs"],
            }
            for name, words in HEADINGS.items()
        ]
    )


def load_modules(found: dict) -> pd.DataFrame:
    """Mutants and branches of each module."""
    return pd.DataFrame(
        [
            {
                "Module": f"`{name}`",
                "Mutants": tried["mutants"],
                "Tried": tried["tried"],
                "Killed": tried["killed"],
                "Branches": found["coverage"][name]["branches"],
                "Reached": found["coverage"][name]["reached"],
            }
            for name, tried in found["mutants"].items()
        ],
        columns=["Module", "Mutants", "Tried", "Killed", "Branches", "Reached"],
    )


def load_survivors(found: dict) -> pd.DataFrame:
    """Every mutant that no test noticed, and why none could."""
    return pd.DataFrame(
        [
            {
                "Where": f"`{name}`, line {one['line']}",
                "Was": f"`{one['was']}`",
                "Is": f"`{one['is']}`",
                "Why no test can tell": one["why"] or "not explained yet",
            }
            for name, tried in found["mutants"].items()
            for one in tried["survivors"]
        ],
        columns=["Where", "Was", "Is", "Why no test can tell"],
    )

"""Which verdicts and comparisons of the book change with other seeds of the draws of cells.

python benchmarks/draws.py    # some minutes; writes results/draws.json and draws.csv
"""

import argparse
import functools

import numpy as np
import pandas as pd

from bloodlib import paper
from bloodlib.analyses import claims
from bloodlib.data import images, stored
from bloodlib.evidence import comparison, intervals

ENDS = {"cells": ("low", "high"), "cells and seeds": ("cells_seeds_low", "cells_seeds_high")}


def decide(seed, resample=intervals.resample):
    """Every decision that the book takes with draws of a seed, and the ends behind them."""
    intervals.resample = functools.partial(resample, seed=seed)
    for cached in (comparison.resamples, claims.verdict, claims._rows, claims._ours):
        cached.cache_clear()
    found, ends = {}, []
    for cell in claims._ours().values():
        for name, pair in ENDS.items():
            outside = comparison.count_outside([cell], *pair)[0]
            found[f"outside the CI over {name}", cell["address"]] = bool(outside)
            ends += [cell[end] for end in pair]
    for claim in paper.CLAIMS:
        judged = claims.verdict(claim.id)
        found["verdict", claim.id] = judged.verdict
        found["for other cells", claim.id] = judged.other_cells
    return found, ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    clock, seeds = stored.Clock(), parser.parse_args().seeds
    decisions, ends = zip(*map(decide, range(seeds)), strict=True)
    table = pd.DataFrame(dict(enumerate(map(pd.Series, decisions)))).rename_axis(["decision", "of"])
    flips = table[table.nunique(axis=1) > 1]
    made = stored.made(
        "python benchmarks/draws.py",
        images.SOURCE.commit,
        {"seeds": seeds, "draws": intervals.DRAWS},
        clock,
        decisions=len(table),
        flips=len(flips),
        largest_sd=float(np.std(ends, axis=0, ddof=1).max()),
    )
    files = {"draws.csv": flips.reset_index().to_csv(index=False).encode()}
    stored.write(stored.results_folder(), "draws", files, made)
    print(made["decisions"], made["largest_sd"], flips, sep="\n")

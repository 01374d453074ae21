# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Consistency of the paper's tables
#
# *Can the printed tables be true?*
#
# This chapter runs no method. It asks whether the numbers of Tables 1 and 2 can have come from
# any run at all. Images come whole, and we know how many of each class the folder TEST holds; so every
# printed precision, recall and F1 says something about whole numbers of images, and all of a method's
# numbers must fit one confusion matrix.

# %% tags=["remove-input"]
from fractions import Fraction

import pandas as pd

from bloodlib import paper
from bloodlib.analyses import plots
from bloodlib.book import chapter, figures, tables
from bloodlib.data import images
from bloodlib.evidence import scores, verdicts
from bloodlib.paper import arithmetic

chapter.begin()

# %% [markdown]
# ## One row, worked out
#
# Two decimals are a range. If the paper rounded, 0.94 is anything from 0.935 to 0.945; if it cut the
# other digits off, anything from 0.94 up to, but not including, 0.95. We try both. These are the sizes of
# TEST's classes:

# %%
counts = images.counts("four")["TEST"]
counts

# %%
neutrophils = paper.cells(method="DCLNN", task="four", class_="NEUTROPHIL")
precision, recall, f1 = neutrophils[:3]
known = {
    "recall": [recall],
    "and precision": [recall, precision],
    "and F1": [recall, precision, f1],
}
narrowed = []
for name, numbers in known.items():
    possible = arithmetic.pairs(numbers, counts["NEUTROPHIL"], sum(counts.values()))
    (least, fewest), (most, last) = possible.min(axis=0), possible.max(axis=0)
    said = f"{name} {numbers[-1].printed}"
    narrowed.append((said, f"{least:,} to {most:,}", f"{fewest:,} to {last:,}", len(possible)))
narrowed = pd.DataFrame(narrowed, columns=["Known", "Found", "Called so", "Pairs"])

# %% tags=["remove-input"]
chapter.cite(row_size=counts["NEUTROPHIL"], row_recall=recall.printed)
chapter.cite(row_found=narrowed["Found"].iloc[0], row_called=narrowed["Called so"].iloc[1])
chapter.cite(row_all=f"{narrowed['Pairs'].iloc[0]:,}", row_left=narrowed["Pairs"].iloc[-1])

# %% [markdown]
# Take DCLNN's neutrophils in Table 1. A recall that is printed as {glue:text}`row_recall`, of
# {glue:text}`row_size` images, means that {glue:text}`row_found` of them were found. The precision then says
# how many images were called neutrophil: {glue:text}`row_called`. F1, which follows from
# the same counts, excludes most of what is left. {numref}`tbl-arithmetic-row` has each step: of
# {glue:text}`row_all` possible pairs of counts, {glue:text}`row_left` remain.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
tables.show(
    narrowed,
    "tbl-arithmetic-row",
    "What each printed number of one row says of whole images: how many neutrophils were found, how many images were called neutrophil, and how many pairs of the two are possible.",
)

# %% [markdown]
# ## Every block
#
# The rows of a method must also fit each other: each image is called by one name. A program for
# whole-number problems looks for a confusion matrix that gives all numbers of a method's class
# rows, and for those with the fewest and the most right answers. What it finds is computed again in exact
# fractions before we believe it.

# %%
block = arithmetic.bounds("DCLNN", counts)
block.feasible, block.correct, block.witness

# %% [markdown]
# There is such a matrix for DCLNN with four classes. The one above, true classes in rows, is an example, and
# not the paper's, which nobody printed; but it would have given the same rows, averages last:

# %%
{
    measure: scores.printed_rows(block.witness, measure).round(2)
    for measure in paper.MEASURES
}  # fmt: skip

# %% tags=["remove-input"]
every = {task: images.counts(task) for task in images.TASKS}
blocks = arithmetic.compute_blocks(every)
keys = ["task", "method"]
test = blocks[blocks["split"] == "TEST"].set_index(keys)
rounded, cut = (test[test["convention"] == name] for name in arithmetic.CONVENTIONS)
for convention, possible in (("rounded", rounded), ("truncated", cut)):
    found = [arithmetic.misprints(every[task]["TEST"], convention) for task in every]
    chapter.cite({f"possible_{convention}": possible["feasible"].sum()})
    chapter.cite({f"noticed_{convention}": sum(noticed for noticed, _ in found)})
chapter.cite(tried=sum(tried for _, tried in found), blocks=len(rounded))
chapter.cite(widest=int((rounded["most"] - rounded["fewest"]).max()))

# %% [markdown]
# {numref}`tbl-arithmetic-blocks` has all blocks: {glue:text}`possible_rounded` of {glue:text}`blocks` are
# consistent if the numbers were rounded, and {glue:text}`possible_truncated` if they were cut. The print can't
# tell which it was. But it tells the accuracy, which the tables leave out: if rounded, to within
# {glue:text}`widest` images or fewer ({numref}`fig-arithmetic-accuracy`).

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
shown = rounded.join(cut.add_suffix("_cut")).reset_index()
verdict = {True: "consistent", False: "impossible"}.get
arranged = {
    "headings": {
        "method": "Row",
        "feasible": "Verdict",
        "fewest": "Right answers",
        "low": "Accuracy",
        "low_cut": "Accuracy if cut",
        "claimed": "Verdict with it",
        "claimed_cut": "Verdict with it if cut",
    },
    "fmt": {
        **dict.fromkeys(("feasible", "claimed", "claimed_cut"), verdict),
        **dict.fromkeys(("low", "low_cut"), "{:.4f} to {:.4f}".format),
        "fewest": "{:,.0f} to {:,.0f}".format,
    },
}
tables.show(
    shown,
    "tbl-arithmetic-blocks",
    "Can each block of Tables 1 and 2 be true of TEST? The verdict, the fewest and the most right answers and the accuracy are for rounded numbers; the last column is for numbers cut after two decimals.",
    columns=[*keys, "feasible", ("fewest", "most"), ("low", "high"), ("low_cut", "high_cut")],
    **arranged,
)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-arithmetic-accuracy", "caption": "The accuracies that the print allows. Filled: rounded numbers; hollow: cut ones. Grey: what rounds to the percentage of section 1. All panels have the same scale; in the lower right one, the filled bar of AveragePooling ends just before the grey band."}, "image": {"alt": "Four panels, for four and two classes, baselines left and networks right. Each row is a method on TEST or on TEST_SIMPLE. On TEST each has two short bars side by side, less than one point of accuracy long. On TEST_SIMPLE the word impossible stands everywhere. With four classes the grey band at 78 percent lies left of all networks. With two classes the band at 94 percent lies right of DCLNN and MaxPooling, and only the hollow bar of AveragePooling lies in it."}}
plots.show(figures.plot_possible_accuracy(blocks[blocks["split"] != "TRAIN"]))

# %% [markdown]
# How much does "consistent" mean? We changed one number of a class row at a time by 0.01: of
# {glue:text}`tried` such misprints, {glue:text}`noticed_rounded` leave no matrix if the numbers were rounded, and
# {glue:text}`noticed_truncated` if they were cut. The others would go unnoticed.
#
# ## F1 and averages
#
# F1 must also fit the precision and the recall beside it, and each average its class rows.
# {numref}`tbl-arithmetic-checks` counts these checks. Ranges are held against ranges, as if precision,
# recall and F1 were independent; only the average recall could be sought in one matrix with the
# class rows.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
checks = pd.concat(
    arithmetic.checks(every[task]["TEST"], convention).assign(convention=convention)
    for convention in arithmetic.CONVENTIONS
    for task in every
)
tables.show(
    checks.pivot_table("holds", "kind", "convention", "sum", sort=False)
    .assign(numbers=checks["kind"].value_counts() // len(arithmetic.CONVENTIONS))
    .reset_index(),
    "tbl-arithmetic-checks",
    "Printed numbers held against each other: how many there are, and how many of them can be true if they were rounded and if they were cut.",
    columns=["kind", "numbers", "rounded", "truncated"],
    headings={
        "kind": "Held against each other",
        "rounded": "If rounded",
        "truncated": "If cut",
    },
)

# %% tags=["remove-input"]
failing = checks[~checks["holds"]]
blamed = [f"{cell.method}, {cell.task} classes" for cell in failing["cell"]]
chapter.cite(failing="; ".join(dict.fromkeys(blamed)))
chapter.cite(failing_kind="; ".join(failing["kind"].unique()))
first = failing.iloc[0]
chapter.cite(failing_span=str(first["allowed"]), failing_printed=first["cell"].printed)

# %% [markdown]
# What fails is one kind of check only, "{glue:text}`failing_kind`", and only for {glue:text}`failing`: an F1 of
# the averages would be {glue:text}`failing_span`, printed is {glue:text}`failing_printed`. So the averages of F1
# are means of the F1s above them, as in {doc}`intervals`.
#
# ## Which images?
#
# The dataset has three folders, and the paper does not say on which its tables were computed.
# {numref}`tbl-arithmetic-sets` tries all.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
splits = ["TEST", "TRAIN", "TEST_SIMPLE"]
possible = blocks[blocks["feasible"]].replace({"convention": {"truncated": "cut"}})
fits = possible.groupby([*keys, "split"])["convention"].agg(" or ".join)
fits = fits.unstack(fill_value=verdict(False)).reindex(columns=splits, fill_value=verdict(False))
simple = blocks[(blocks["split"] == "TEST_SIMPLE") & (blocks["convention"] == "rounded")]
tables.show(
    simple.join(fits, on=keys),
    "tbl-arithmetic-sets",
    "On which folder each block can have been computed, with rounded or with cut numbers; and a printed number, if rounded, that TEST_SIMPLE can't give.",
    columns=[*keys, *splits, "excluded_by"],
    headings={"method": "Row", **dict(zip(splits, splits, strict=True))},
)

# %% tags=["remove-input"]
simple = every["two"]["TEST_SIMPLE"]
(alone,) = arithmetic.bounds("DCLNN", simple).conflict
size = simple[alone.class_]
below = int(alone.value * size)
chapter.cite(simple=sum(simple.values()))
chapter.cite(alone=f"{alone.class_.lower()} {alone.measure} of {alone.printed}", alone_size=size)
chapter.cite(alone_below=below, alone_above=below + 1, share_below=below / size)
chapter.cite(share_above=(below + 1) / size)

# %% [markdown]
# TEST_SIMPLE, with {glue:text}`simple` images, is excluded for every block, by a single number each. DCLNN's
# {glue:text}`alone` can't be had of {glue:text}`alone_size` images: {glue:text}`alone_below` are
# {glue:text}`share_below:.2f`, {glue:text}`alone_above` are {glue:text}`share_above:.2f`. TEST and TRAIN can't be told
# apart by arithmetic. The claims are about images that the network was not trained on; we take TEST.
#
# ## 94 and 78 percent
#
# Section 1 claims 94 percent accuracy with two classes and 78 percent with four.
# {numref}`tbl-arithmetic-percent` asks whether a network of the tables can have that accuracy, rounded to a
# whole percent.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
networks = shown[shown["method"].isin(arithmetic.NETWORKS)]
networks = networks.sort_values("task", ascending=False, kind="stable")
section = {
    task: f"{100 * float(share):.0f} percent, {task} classes"
    for task, share in arithmetic.CLAIMED.items()
}
tables.show(
    networks.assign(section_1=networks["task"].map(section)),
    "tbl-arithmetic-percent",
    "The accuracies that the tables allow on TEST, with rounded and with cut numbers, and whether one of them rounds to the percentage of section 1.",
    columns=[
        "section_1",
        "method",
        ("low", "high"),
        "claimed",
        ("low_cut", "high_cut"),
        "claimed_cut",
    ],
    **arranged,
)

# %% tags=["remove-input"]
claim = {task: arithmetic.span(share) for task, share in arithmetic.CLAIMED.items()}
total = block.images
enough = -(-claim["two"].low * total // 1)
at_most = claim["four"].high * total // 1
chapter.cite(total=f"{total:,}", enough=f"{int(enough):,}", at_most=f"{int(at_most):,}")
for method in arithmetic.NETWORKS:
    found = int(rounded.loc[("two", method), "most"])
    chapter.cite({f"{method}_most": f"{found:,}", f"{method}_short": int(enough) - found})
fewest = rounded.loc["four"].loc[list(arithmetic.NETWORKS), "fewest"]
chapter.cite(least=fewest.idxmin(), fewest=f"{fewest.min():,.0f}")
two = every["two"]["TEST"]
excluding = arithmetic.bounds("AveragePooling", two, claimed=claim["two"]).conflict
chapter.cite(excluding=" and ".join(f"{c.measure} {c.printed}" for c in excluding))
readings = {
    "both_cut": ("truncated", arithmetic.span("0.94", "truncated")),
    "precise_rounded": ("rounded", arithmetic.span("0.94", unit=Fraction(1, 1000))),
    "precise_cut": ("truncated", arithmetic.span("0.94", unit=Fraction(1, 1000))),
}
for name, (convention, exact) in readings.items():
    can = [
        method
        for method in arithmetic.NETWORKS
        if arithmetic.bounds(method, two, convention, claimed=exact).feasible
    ]
    chapter.cite({name: " and ".join(can) or "none"})
chapter.cite(eq14=1 - 2 * (1 - block.accuracy[0]) / len(counts))

# %% [markdown]
# With two classes, 94 percent takes {glue:text}`enough` right answers of {glue:text}`total`. DCLNN has at most
# {glue:text}`DCLNN_most`, {glue:text}`DCLNN_short` too few. AveragePooling has at most
# {glue:text}`AveragePooling_most`, {glue:text}`AveragePooling_short` too few: its {glue:text}`excluding`
# exclude the 94 percent by that little. It could have them only if its numbers were cut and the
# percentage was rounded; with both cut, {glue:text}`both_cut` of the networks can. Read as 94.0 percent, the answer is
# {glue:text}`precise_rounded` if the numbers were rounded and {glue:text}`precise_cut` if they were cut.
#
# With four classes, 78 percent is at most {glue:text}`at_most` right answers, and every network has more:
# {glue:text}`least`, the least accurate of them, at least {glue:text}`fewest`. Accuracy as in equation 14, averaged over the
# classes, would be higher still ({glue:text}`eq14:.2f` for DCLNN). So the
# percentages of section 1 do not describe the DCLNN of Table 1.
#
# ## What section 6.2 reads off the tables
#
# {numref}`tbl-arithmetic-comparisons` holds each sentence against the printed numbers, and asks whether it is
# true of all numbers that print so. "Can't be told" would mean that it depends on the digits that
# were dropped.

# %% tags=["remove-input"] mystnb={"markdown_format": "myst"}
comparisons = pd.DataFrame(
    [verdicts.judge_print(name) for name in verdicts.PRINT], columns=["holds", "evidence"]
)
comparisons["says"] = [claim["says"] for claim in verdicts.PRINT.values()]
tables.show(
    comparisons,
    "tbl-arithmetic-comparisons",
    "Sentences of section 6.2 about Tables 1 and 2, held against the print. Ranges are for rounded numbers; a verdict holds for cut ones too.",
    columns=["says", "evidence", "holds"],
    headings={"says": "The paper says", "evidence": "The print says", "holds": "True"},
)

# %% tags=["remove-input"]
chapter.cite(comparisons=len(comparisons))
chapter.cite(comparisons_true=comparisons["holds"].sum())
average, largest = (rounded.loc[("two", m)] for m in ("AveragePooling", "MaxPooling"))
chapter.cite(apart_least=int(average["fewest"] - largest["most"]))
chapter.cite(apart_most=int(average["most"] - largest["fewest"]))

# %% [markdown]
# Of {glue:text}`comparisons` sentences, {glue:text}`comparisons_true` are true of the print. One deserves a
# second look: with two classes the poolings are "virtually identical", but AveragePooling must have been
# right for {glue:text}`apart_least` to {glue:text}`apart_most` images more, and it is not the pooling that the
# paper chose. That the paper reads its tables correctly says nothing of whether another run, another
# seed or another laboratory's images would fill them the same way: {doc}`tables` has our runs.

# %% tags=["remove-input"]
for method in ("DCLNN", "SVM"):
    found = arithmetic.bounds(method, counts)
    least, most = (found.images - right for right in reversed(found.correct))
    chapter.cite({f"q_{method}": f"{least:,} to {most:,}", f"q_{method}_leaves": most - least + 1})
small = every["four"]["TEST_SIMPLE"]["LYMPHOCYTE"]
for name, size in {"small": small, "large": counts["LYMPHOCYTE"]}.items():
    chapter.cite(
        {f"q_{name}": size, f"q_{name}_values": len({round(k / size, 2) for k in range(size + 1)})}
    )

# %% [markdown]
# ## Questions
#
# **1. How many mistakes does the print allow?** The cell with `arithmetic.bounds("DCLNN", counts)` shows the fewest and the most
# right answers. How many wrong ones are that, of all images of TEST (`block.images`)? And for `"SVM"`?
#
# :::{dropdown} Answer
# DCLNN made {glue:text}`q_DCLNN` mistakes, the SVM {glue:text}`q_SVM`: {glue:text}`q_DCLNN_leaves` and
# {glue:text}`q_SVM_leaves` possible numbers. Numbers of two decimals, taken together, tell the mistakes of a method almost to the
# image.
# :::
#
# **2. Which recalls can a small class have?** Put `"TEST_SIMPLE"` for `"TEST"` in the cell with `images.counts`. How many
# different recalls, printed with two decimals, can its lymphocytes have, and how many can those of TEST?
#
# :::{dropdown} Answer
# {glue:text}`q_small` lymphocytes can have {glue:text}`q_small_values` recalls, {glue:text}`q_large` can have
# {glue:text}`q_large_values`, which is every number of two decimals from 0 to 1. So a small test set betrays a number
# that can't be its own, and a large one does so only where several numbers must fit together.
# :::

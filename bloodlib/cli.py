"""The command ``bloodlib``, whose ``--help`` lists what it does.

A command is a function here: its docstring is the command's help, of which the list of all has the
first line; :data:`COMMANDS` has what it takes.
"""

import argparse
import importlib
import inspect
import json
import os
import signal
import sys
from itertools import chain

from bloodlib import __version__

#: What ``bloodlib measure`` computes, by its name, with the module and its function.
MEASUREMENTS = {
    "boxes": ("data.photographs", "compute_boxes"),
    "by-cell": ("data.splits", "compute_by_cell"),
    "attribution": ("analyses.attribution", "compute"),
    "robustness": ("analyses.robustness", "compute"),
    "external-validation": ("analyses.external_validation", "compute"),
    "out-of-distribution": ("analyses.out_of_distribution", "compute"),
    "stored-models": ("analyses.stored_models", "compute"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what can go wrong for a user ends in one sentence, not in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8")  # a Windows code page lacks some signs
    options = _parser().parse_args(arguments)
    from bloodlib import study
    from bloodlib.data import images, stored

    refusals = (images.DatasetError, stored.StoredError, study.RunError, ImportError, ValueError)
    try:
        stored.settle()
        code = options.run(options) or 0
        if sys.stdout:  # none where it is closed
            sys.stdout.flush()
    except KeyboardInterrupt:
        print("Stopped. Run it again: what is stored is not computed again.", file=sys.stderr)
        return 130
    except refusals as error:
        print(f"bloodlib: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # who reads the output has read enough
            print(f"bloodlib: {error}", file=sys.stderr)
        _flush_or_drop()
        return 1
    return code


def _flush_or_drop():
    """What can't be written, to a full disk or a closed pipe, is not tried again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser():
    parser = argparse.ArgumentParser(
        prog="bloodlib",
        description="White blood cells, two convolutions and the evidence: data, runs and tables.",
    )
    parser.add_argument("--version", action="version", version=f"bloodlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, given in COMMANDS.items():
        text = inspect.getdoc(run)
        name, help = run.__name__[1:], text.split("\n")[0]
        command = commands.add_parser(name, help=help, description=text)
        command.set_defaults(run=run)
        for argument, settings in given:
            command.add_argument(argument, **settings)
    return parser


def _data(options):
    """Find the images and verify them, or fetch them.

    Prints the number of images of each class, and their hashes. Exits with 1 if they are missing or
    do not verify.
    """
    from bloodlib.data import images, stored

    if options.fetch:
        images.fetch()
    folder = images.find()
    print(f"datasets in {stored.data_folder()}")
    for name in ("BCCD_Dataset", "PBC_dataset_normal_DIB"):
        there = (stored.data_folder() / name).is_dir()
        print(f"  {name:24} {'there' if there else 'not there'}")
    print(f"  {folder.name if folder.parent == stored.data_folder() else folder}")
    hashes = images.verify(thorough=True)
    for split, found in images.counts().items():
        listed = ", ".join(f"{n} {name.lower()}" for name, n in found.items())
        print(f"    {split:12} {sum(found.values()):6}  {listed}")
    for what in images.SOURCE.hashes:
        if what in hashes:
            print(f"    {what:16} {hashes[what]}  verified")
        else:
            print(f"    {what:16} not there: no photograph can be shown or matched again")


def _study(options):
    """Compute the runs of study.yml that have no record yet.

    A stopped run continues from its last epoch. A run that fails is recorded, and the others
    continue. Several of these processes share the runs. Exits with 1 if a run failed.
    """
    from bloodlib import study
    from bloodlib.models import training

    if options.verify:
        return _verify(options.only)
    chosen = study.grid(options.profile, options.images, options.only)
    found = [study.recorded(config) for config in chosen]
    if options.list:
        for config, record in zip(chosen, found, strict=True):
            state = record.status if record else "missing"
            hours = None if record else study.estimate_hours(config)
            about = f", about {hours:.1f} h" if hours else ""
            print(f"{state:10}  {study.identify(config):24}  {study.describe(config)}{about}")
        return 0
    todo = [c for c, r in zip(chosen, found, strict=True) if r is None or r.status == "failed"]
    print(f"{len(chosen) - len(todo)} of {len(chosen)} runs have a record.", flush=True)
    short = sum(config.get("precision") == "mixed_bfloat16" for config in todo)
    if short and not training.device_name() and not training.has_short_floats():
        print(
            f"{short} of these runs compute in mixed_bfloat16, for which this processor has no "
            "instructions: ten times as long as in float32, hours each on two cores. Ctrl-C stops "
            "them at any time.",
            flush=True,
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C does
    return _compute(todo)


def _compute(todo):
    """Compute runs one by one, those that another process is computing last."""
    from filelock import Timeout
    from tqdm import tqdm

    from bloodlib import study

    failed, busy = 0, []
    with tqdm(total=len(todo), desc="study", unit=" runs") as bar:
        for place, config in enumerate(chain(todo, busy)):
            name, words = study.identify(config), study.describe(config)
            bar.set_postfix_str(words)
            try:
                record = study.compute(config, wait=place >= len(todo))
                tqdm.write(f"{name}  {words}  {record.seconds:.0f} s")
            except Timeout:  # another process is at it
                busy.append(config)
                continue
            except study.RunError as error:
                failed += study.is_open(config)
                tqdm.write(f"{name}  {error}")
            bar.update()
    return 1 if failed else 0


def _verify(only):
    import numpy as np
    from tqdm import tqdm

    from bloodlib import study
    from bloodlib.data import images, stored
    from bloodlib.study import records

    found = records.read_all()
    for record in tqdm(found, desc="records", unit=" records", disable=None):
        study.check(record)
    print(f"{len(found)} records verified in {records.folder()}")
    again = [record for record in found if record.status == "complete"]
    if only:
        again = [
            run for run in again if all(w in f"{run.id} {study.describe(run.config)}" for w in only)
        ]
        if not again:
            raise ValueError(f"no complete record contains {' and '.join(only)}: see --list")
    else:  # methods that take seconds, without an SVM, whose record may not count its kernel
        again = [run for run in again if run.config["method"] in ("NB", "KNN") and run.seconds < 60]
        if not again or not images.available():
            why = "the images are not here (`bloodlib data --fetch`)" if again else "none is cheap"
            print(f"None was computed again: {why}.")
            return 0
    record = again[np.random.default_rng().integers(len(again))]
    words = f"{study.describe(record.config)}, {record.seconds:.0f} s in its record"
    print(f"Computing one again: {words} (--only {record.id} chooses it too)", flush=True)
    if different := study.repeat(record):
        raise stored.StoredError(
            f"{record.path}: computed again, it differs ({'; '.join(different)}). Another "
            f"processor, other packages or an earlier bloodlib may answer otherwise: `bloodlib "
            f"explain {record.id}` names its own."
        )
    print(f"Its {len(record.arrays)} arrays of predictions are the same.")
    return 0


def _measure(options):
    """Apply the trained networks again, without training, and store the results.

    Writes to results/, and continues where it was stopped. boxes: positions of white cells, from
    BCCD's annotations; attribution: attribution maps (some ten minutes); robustness: predictions
    for corrupted images (minutes); external-validation: predictions for cells of another
    laboratory (some ten minutes; needs PBC); out-of-distribution: distances from the training
    images (needs PBC); by-cell: the table of all images by cell (seconds); stored-models: the
    compact CNN and the colour baseline, trained again (some ten minutes).
    """
    module, function = MEASUREMENTS[options.what]
    getattr(importlib.import_module(f"bloodlib.{module}"), function)()


def _audit(options):
    """Check the evidence: consistency of the tables, photographs, data leakage.

    Whether the paper's tables are consistent, how many photographs and cells are behind the images,
    which cells were photographed twice, and which kinds of leakage there are.
    """
    from bloodlib.analyses import leakage

    if options.remake:
        from bloodlib.data import registration

        registration.compute()
    if options.replay:
        found, text = leakage.compute_replay(), leakage.replay_text
    else:
        found, text = leakage.audit(), leakage.audit_text
    print(json.dumps(found, indent=1) if options.json else text(found))


def _report(options):
    """Print Tables 1 and 2 and the claims, the paper beside ours."""
    from bloodlib.book import tables

    report = tables.report()
    print(json.dumps(report, indent=1) if options.json else tables.report_text(report))


def _weights(options):
    """Check the stored weights of the trained networks, or write them.

    Prints the run that they come from. Where the images are at hand, compares their predictions
    with that run's record, image by image.
    """
    from bloodlib.analyses import prediction
    from bloodlib.data import images
    from bloodlib.models import weights

    for task in images.TASKS:
        if options.write:
            weights.export(prediction.recorded(task), weights.path(task))
        made = weights.read(task)[2]
        megabytes = weights.path(task).stat().st_size / 1e6
        print(f"{weights.path(task)}  {megabytes:.1f} MB, of {made['record']}", flush=True)
        if images.available():
            found = prediction.check(task)
            print(
                f"  the record's class for each of {found['images']} images; "
                f"probabilities within {found['furthest']:.4f} of the record's"
            )


def _predict(options):
    """Classify pictures of cells with the trained networks.

    Prints the probability of each class, how unlike the training slides a picture is, and the sizes
    of its cells. Pictures that are not 4:3 are cropped to their middle. Exits with 1 if a file gets
    no prediction.
    """
    from bloodlib.analyses import prediction

    failed = 0
    for answer in prediction.predict(options.files, options.scale):
        if options.json:
            print(json.dumps(answer), flush=True)
        elif "error" in answer:
            print(f"bloodlib: {answer['error']}", file=sys.stderr)
        else:
            print(prediction.text(answer), flush=True)
        failed += "error" in answer
    print(prediction.WARNING, file=sys.stderr)
    return 1 if failed else 0


def _evaluate(options):
    """Evaluate the stored networks and baselines on a laboratory's own labelled cells.

    The folder has a folder for each class, or a table of labels. Prints accuracy, balanced accuracy
    and recalls with 95 % confidence intervals over pictures (over groups with --groups), as the
    pictures are and with the training slides' stain and scale, how many are unlike these, and what
    was left out or refused.
    """
    from bloodlib.analyses import evaluation

    cells = evaluation.load(options.folder, options.labels, options.groups, options.boxes)
    found = evaluation.score(cells)
    print(json.dumps(found) if options.json else evaluation.text(found))
    if options.plot:
        evaluation.plot(found, cells).savefig(options.plot, dpi=150)


def _score(options):
    """Score your predictions of TEST or of held-out folds, by image, by photograph and by cell.

    The file is a CSV with the columns image and predicted, a row for each image of TEST, such as
    TEST/MONOCYTE/_0_1095.jpeg,MONOCYTE (two classes: Mononuclear, Polynuclear). If it has images of
    TRAIN, it must hold whole folds of results/wbc-by-cell (one, or all five), each predicted by a
    model trained on the others: that can't be seen in the file. Intervals are over cells. The
    images are not needed.
    """
    from bloodlib.analyses import scoring

    found = scoring.score(options.predictions)
    print(json.dumps(found, indent=1) if options.json else scoring.text(found))


def _explain(options):
    """Give the origin of a number of the tables.

    The printed value and its place, our value, its computation, the runs behind it, and the command
    that repeats them.
    """
    from bloodlib.book import explain

    found = explain.explain(options.address)
    print(json.dumps(found, indent=1) if options.json else explain.text(found))


#: Options that are given or not.
FLAG = {"action": "store_true"}
JSON = ("--json", FLAG | {"help": "for programs"})
#: Each command, and what it takes, for ``argparse``.
COMMANDS = {
    _data: [("--fetch", FLAG | {"help": "fetch the images first, if missing"})],
    _study: [
        ("--list", FLAG | {"help": "only show the runs and their state"}),
        ("--verify", FLAG | {"help": "only check every record, and compute one again: a cheap one, "
                             "or one that --only names"}),
        ("--only", {"metavar": "WORD", "action": "append", "default": [],
                    "help": "only runs whose id or description contains WORD; given several times, "
                    "all of the words"}),
        ("--profile", {"choices": ("quick", "full"), "default": "full",
                       "help": "quick: few images, minutes, not for quoting; full: the paper's "
                       "scale (default)"}),
        ("--images", {"choices": ("published", "drawn"), "default": "published",
                      "help": "drawn: synthetic cells, drawn by code; never in results/"}),
    ],
    _measure: [("what", {"metavar": "NAME", "choices": MEASUREMENTS,
                          "help": ", ".join(MEASUREMENTS)})],
    _audit: [
        JSON,
        ("--replay", FLAG | {"help": "only draw the split again, from the photographs' labels and "
                             "the public seed"}),
        ("--remake", FLAG | {"help": "first find the photograph of every image again (minutes; "
                             "needs the images)"}),
    ],
    _report: [JSON],
    _weights: [("--write", FLAG | {"help": "first write them again, from the weights that "
                                    "training left in the cache"})],
    _predict: [
        JSON,
        ("files", {"metavar": "IMAGE", "nargs": "+",
                   "help": "files, folders, patterns; -: standard input"}),
        ("--scale", FLAG | {"help": "crop pictures, or pad them by mirroring, until cells are as "
                                    "large as in the training images"}),
    ],
    _evaluate: [
        JSON,
        ("folder", {"metavar": "FOLDER", "help": "a folder of pictures for each class"}),
        ("--labels", {"metavar": "CSV", "help": "columns file and label, also group"}),
        ("--groups", {"metavar": "CSV", "help": "columns file and group: patient or slide"}),
        ("--boxes", {"metavar": "PATH", "help": "where the white cells are: a CSV with file, left, "
                                                "top, right and bottom, or Pascal VOC's folder"}),
        ("--plot", {"metavar": "FILE", "help": "draw some cells and the scores: PNG, PDF, ..."}),
    ],
    _score: [
        JSON,
        ("predictions", {"metavar": "CSV", "help": "columns image and predicted"}),
    ],
    _explain: [
        JSON,
        ("address", {"nargs": "?", "default": "", "metavar": "ADDRESS",
                     "help": "such as tbl-paper-1/four/DCLNN/NEUTROPHIL/recall; its beginning "
                     "lists what is below; the id of a record or of a claim is one too"}),
    ],
}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())

"""The command ``bloodlib``, whose ``--help`` lists what it does."""

import argparse
import codecs
import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import unicodedata
from pathlib import Path

from bloodlib import __version__

#: What stands for a sign that the terminal's encoding lacks.
PLAIN = str.maketrans({"–": "-", "−": "-", "×": "x", "“": '"', "”": '"', "’": "'", "…": "..."})


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what can go wrong for a user ends in one sentence, not in a traceback."""
    codecs.register_error("bloodlib", _in_plain_signs)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="bloodlib")
    code = 1
    try:
        try:
            code = _run(arguments)
        finally:
            if sys.stdout:  # none where it is closed
                sys.stdout.flush()
    except BrokenPipeError:  # who reads the output has read enough
        _drop_output()
    except OSError as error:  # a full disk
        _drop_output()
        print(f"bloodlib: the output can't be written: {error}", file=sys.stderr)
        code = 1
    return code


def _run(arguments):
    options = _parser().parse_args(arguments)
    from bloodlib import study
    from bloodlib.data import images, paths, stored

    try:
        paths.settle()
        return options.run(options) or 0
    except KeyboardInterrupt as error:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 143 if isinstance(error, Terminated) else 130
    except BrokenPipeError:
        raise
    except (
        images.DatasetError,
        stored.StoredError,
        study.RunError,
        OSError,
        ImportError,
        ValueError,
    ) as error:
        print(f"bloodlib: {error}", file=sys.stderr)
        return 1


class Terminated(KeyboardInterrupt):
    """The process was told to end."""


@contextlib.contextmanager
def _terminable():
    """Let SIGTERM end what is computed as Ctrl-C does."""

    def terminate(*_):
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _in_plain_signs(error):
    text = error.object[error.start : error.end].translate(PLAIN)
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return plain or "?", error.end


def _drop_output():
    """Send what is still to be written nowhere, so that Python does not try again at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser():
    parser = argparse.ArgumentParser(
        prog="bloodlib",
        description="White blood cells, two convolutions and the evidence: data, runs and tables.",
    )
    parser.add_argument("--version", action="version", version=f"bloodlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run, help, description):
        found = commands.add_parser(run.__name__[1:], help=help, description=description)
        found.set_defaults(run=run)
        return found

    data = command(
        _data,
        help="say where the images are and verify them, or fetch them",
        description="Print where the images are, how many of each class, and their hashes. "
        "Exit with 1 if they are not there or do not verify.",
    )
    data.add_argument("--fetch", action="store_true", help="fetch the images first, if missing")
    data.add_argument(
        "--facts", action="store_true", help="print the facts of results/dataset.json instead"
    )

    study = command(
        _study,
        help="compute the runs of study.yml that have no record yet",
        description="Compute the runs of study.yml that have no record yet, one after the other. "
        "A run that was stopped goes on from its last epoch; one that fails is recorded and "
        "the others go on. Started several times, it shares the runs out. Exit with 1 if a run "
        "failed.",
    )
    study.add_argument("--list", action="store_true", help="only show the runs and their state")
    study.add_argument(
        "--verify", action="store_true",
        help="only check every record, and compute a cheap one again; with --only, one that holds "
        "WORD, whatever it takes",
    )  # fmt: skip
    study.add_argument(
        "--only", metavar="WORD", action="append", default=[],
        help="only runs whose id or description holds WORD; several: all of them",
    )  # fmt: skip
    study.add_argument(
        "--profile", choices=("quick", "full"), default="full",
        help="quick: few images, minutes, not for quoting; full: the paper's scale (default)",
    )  # fmt: skip
    study.add_argument(
        "--images", choices=("published", "drawn"), default="published",
        help="drawn: on drawn cells, where the images can't be had; never frozen",
    )  # fmt: skip

    measure = command(
        _measure,
        help="ask the trained networks again, and freeze what they answer",
        description="Freeze in results/ what needs the images and the trained networks, but no "
        "training, such as maps of their answers. What was stopped goes on.",
    )
    measure.add_argument(
        "what", metavar="NAME",
        help="boxes: where the white cells are, from BCCD's annotations; attribution: maps of the "
        "answers (some ten minutes); robustness: answers for corrupted images (minutes); "
        "external-validation: answers for cells of another laboratory (some ten minutes; needs "
        "PBC); out-of-distribution: how unlike the training images others are (needs PBC)",
    )  # fmt: skip

    audit = command(
        _audit,
        help="what the evidence can bear: tables, photographs, leakage",
        description="Print whether the paper's tables can be true, how many photographs and cells "
        "are behind the images, which cells were photographed twice, and what leaks.",
    )
    audit.add_argument("--json", action="store_true", help="for programs")
    audit.add_argument(
        "--remake", action="store_true",
        help="first find the photograph of every image again (minutes; needs the images)",
    )  # fmt: skip

    report = command(
        _report,
        help="print Tables 1 and 2 and the claims, the paper beside ours",
        description="Print Tables 1 and 2, the paper beside ours, and the claims with verdicts.",
    )
    report.add_argument("--json", action="store_true", help="for programs")
    report.add_argument(
        "--picture", metavar="FILE", type=Path, help="only draw the averages, as SVG, as in README"
    )

    weights = command(
        _weights,
        help="say what the trained networks in results are and check them, or make them",
        description="Print which run the weights in results are of; with the images at hand, "
        "compare what they answer with that run's record, image by image.",
    )
    weights.add_argument(
        "--freeze", action="store_true",
        help="first write them anew, from the weights that training left in the cache",
    )  # fmt: skip

    predict = command(
        _predict,
        help="ask the trained networks about pictures of cells",
        description="Print what the trained networks answer for pictures: the probability of each "
        "class, and how unlike the training images a picture is by its light and colours. Of "
        "pictures that are not 4:3 the middle is taken. Exit with 1 if a file has no answer.",
    )
    predict.add_argument("files", metavar="IMAGE", type=Path, nargs="+", help="JPEG, PNG, ...")
    predict.add_argument("--json", action="store_true", help="for programs: a line for each file")

    explain = command(
        _explain,
        help="say where a number of the tables comes from",
        description="Say where a number of Tables 1 and 2 comes from: what the paper prints and "
        "where, our value, how it is computed, from which runs, and the command that repeats them.",
    )
    explain.add_argument(
        "address", nargs="?", default="", metavar="ADDRESS",
        help="such as tbl-paper-1/four/DCLNN/NEUTROPHIL/recall; its beginning lists what is below; "
        "the id of a record or of a claim is one too",
    )  # fmt: skip
    explain.add_argument("--json", action="store_true", help="for programs")

    return parser


def _data(options):
    from bloodlib.data import images, paths

    if options.fetch:
        images.fetch()
    folder = images.find()
    if options.facts:
        images.verify()
        print(json.dumps(images.facts(), indent=1))
        return
    print(f"datasets in {paths.data_folder()}")
    for name in ("BCCD_Dataset", "PBC_dataset_normal_DIB"):
        there = (paths.data_folder() / name).is_dir()
        print(f"  {name:24} {'there' if there else 'not there'}")
    print(f"  {folder.name if folder.parent == paths.data_folder() else folder}")
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
    from bloodlib import study

    if options.verify:
        return _verify(options.only)
    chosen = study.grid(options.profile, options.images, options.only)
    found = [study.recorded(config) for config in chosen]
    if options.list:
        for config, record in zip(chosen, found, strict=True):
            state = record.status if record else "missing"
            print(f"{state:10}  {study.identify(config):24}  {study.describe(config)}")
        return 0
    todo = [c for c, r in zip(chosen, found, strict=True) if r is None or r.status == "failed"]
    with _terminable():
        print(f"{len(chosen) - len(todo)} of {len(chosen)} runs have a record.", flush=True)
        if not todo:
            return 0
        _say_if_slow(todo)
        return _compute(todo)


def _say_if_slow(todo):
    """Say that this processor computes 16-bit runs slower than others, where it does."""
    from bloodlib.models import training

    short = sum(config.get("precision") == "mixed_bfloat16" for config in todo)
    if short and not training.device_name() and not training.has_short_floats():
        print(
            f"{short} of these runs compute in mixed_bfloat16, for which this processor has no "
            "instructions: they take about ten times as long as in float32. Ctrl-C stops them at "
            "any time.",
            flush=True,
        )


def _compute(todo):
    """Compute runs one by one, those that another process is computing last."""
    from tqdm import tqdm

    from bloodlib import study

    failed, busy, queue = 0, set(), list(todo)
    with tqdm(total=len(todo), desc="study", unit=" runs") as bar:
        while queue:
            config = queue.pop(0)
            name = study.identify(config)
            bar.set_postfix_str(study.describe(config))
            try:
                record = study.compute(config, wait=name in busy)
            except study.BusyError:
                busy.add(name)
                queue.append(config)
                continue
            except study.RunError as error:
                failed += study.is_open(config)
                tqdm.write(f"{name}  {error}")
            else:
                tqdm.write(f"{name}  {study.describe(config)}  {record.seconds:.0f} s")
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
    complete = [record for record in found if record.status == "complete"]
    # methods that take seconds; those of an SVM are of a machine that had its kernel from before
    again = [run for run in complete if run.config["method"] in ("NB", "KNN") and run.seconds < 60]
    if only:
        again = [
            record
            for record in complete
            if all(word in f"{record.id} {study.describe(record.config)}" for word in only)
        ]
        if not again:
            raise ValueError(f"no complete record holds {' and '.join(only)}: see --list")
    elif not again or not images.available():
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
    modules = {
        "boxes": ("data.photographs", "compute_boxes"),
        "attribution": ("analyses.attribution", "compute"),
        "robustness": ("analyses.robustness", "compute"),
        "external-validation": ("analyses.external_validation", "compute"),
        "out-of-distribution": ("analyses.prediction", "compute"),
    }
    if options.what not in modules:
        raise ValueError(f"nothing is called {options.what!r}. There are: {', '.join(modules)}.")
    module, function = modules[options.what]
    getattr(importlib.import_module(f"bloodlib.{module}"), function)()


def _audit(options):
    from bloodlib.analyses import leakage

    if options.remake:
        from bloodlib.data import registration

        registration.compute()
    found = leakage.audit()
    print(json.dumps(found, indent=1) if options.json else leakage.audit_text(found))


def _report(options):
    if options.picture:
        from bloodlib.book import figures

        figures.draw_finding(options.picture)
        return
    from bloodlib.book import tables

    report = tables.report()
    print(json.dumps(report, indent=1) if options.json else tables.report_text(report))


def _weights(options):
    from bloodlib.analyses import prediction
    from bloodlib.data import images
    from bloodlib.models import weights

    for task in images.TASKS:
        if options.freeze:
            weights.export(prediction.recorded(task), weights.path(task))
        made = weights.provenance(task)
        megabytes = weights.path(task).stat().st_size / 1e6
        print(f"{weights.path(task)}  {megabytes:.1f} MB, of {made['record']}", flush=True)
        if images.available():
            found = prediction.check(task)
            print(
                f"  the record's class for each of {found['images']} images; "
                f"probabilities within {found['furthest']:.4f} of the record's"
            )


def _predict(options):
    from bloodlib.analyses import prediction

    failed = 0
    for answer in prediction.predict(options.files):
        if options.json:
            print(json.dumps(answer), flush=True)
        elif "error" in answer:
            print(f"bloodlib: {answer['error']}", file=sys.stderr)
        else:
            print(prediction.text(answer), flush=True)
        failed += "error" in answer
    print(prediction.WARNING, file=sys.stderr)
    return 1 if failed else 0


def _explain(options):
    from bloodlib.book import explain

    found = explain.explain(options.address)
    print(json.dumps(found, indent=1) if options.json else explain.text(found))


if __name__ == "__main__":
    sys.exit(main())

"""The command ``bloodlib``: data, study, audit, report."""

import argparse
import json
import sys

from bloodlib import __version__


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what can go wrong for a user ends in one sentence, not in a traceback."""
    options = _parser().parse_args(arguments)
    from bloodlib import images, photographs, records, study

    try:
        return options.run(options) or 0
    except KeyboardInterrupt:
        print("Stopped. The same command goes on from here.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except (
        images.DatasetError,
        photographs.TableError,
        records.RecordError,
        study.RunError,
        OSError,
        ImportError,
        ValueError,
    ) as error:
        print(f"bloodlib: {error}", file=sys.stderr)
        return 1


def _parser():
    parser = argparse.ArgumentParser(
        prog="bloodlib",
        description="White blood cells, two convolutions and the evidence: data, runs and tables.",
    )
    parser.add_argument("--version", action="version", version=f"bloodlib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    data = commands.add_parser(
        "data",
        help="say where the images are and verify them, or fetch them",
        description="Print where the images are, how many of each class, and their hashes. "
        "Exit with 1 if they are not there or do not verify.",
    )
    data.add_argument("--fetch", action="store_true", help="download the images first, if missing")
    data.add_argument(
        "--facts", action="store_true", help="print the facts of results/dataset.json instead"
    )
    data.set_defaults(run=_data)

    study = commands.add_parser(
        "study",
        help="compute the runs of study.yml that have no record yet",
        description="Compute the runs of study.yml that have no record yet, one after the other. "
        "A run that was stopped goes on from its last epoch; one that fails is recorded and "
        "the others go on. Exit with 1 if a run failed.",
    )
    study.add_argument("--list", action="store_true", help="only show the runs and their state")
    study.add_argument("--verify", action="store_true", help="only check every record")
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
    study.set_defaults(run=_study)

    audit = commands.add_parser(
        "audit",
        help="what the evidence can bear: tables, photographs, leakage",
        description="Print whether the paper's tables can be true, how many photographs and cells "
        "are behind the images, which cells were photographed twice, and what leaks.",
    )
    audit.add_argument("--json", action="store_true", help="for programs")
    audit.add_argument(
        "--remake", action="store_true",
        help="first find the photograph of every image again (minutes; needs the images)",
    )  # fmt: skip
    audit.set_defaults(run=_audit)

    report = commands.add_parser(
        "report",
        help="print Tables 1 and 2 and the claims, the paper beside ours",
        description="Print Tables 1 and 2, the paper beside ours, and the claims with verdicts.",
    )
    report.add_argument("--json", action="store_true", help="for programs")
    report.set_defaults(run=_report)
    return parser


def _data(options):
    from bloodlib import images, paths

    if options.fetch:
        from bloodlib import fetching

        fetching.fetch()
    folder = images.find()
    if options.facts:
        images.verify(folder)
        print(json.dumps(images.facts(), indent=1))
        return
    print(f"datasets in {paths.data_folder()}")
    for name in ("BCCD_Dataset", "PBC_dataset_normal_DIB"):
        there = (paths.data_folder() / name).is_dir()
        print(f"  {name:24} {'there' if there else 'not there'}")
    print(f"  {folder.name}")
    hashes = images.verify(folder, progress=True, thorough=True)
    for split, found in images.counts().items():
        listed = ", ".join(f"{n} {name.lower()}" for name, n in found.items())
        print(f"    {split:12} {sum(found.values()):6}  {listed}")
    for what, digest in hashes.items():
        print(f"    {what:16} {digest}  verified")


def _study(options):
    from tqdm import tqdm

    from bloodlib import records, study

    if options.verify:
        found = sorted(records.folder().glob("*.json"))
        for path in tqdm(found, desc="records", unit=" records", disable=None):
            record = records.read(path)
            records.check(record)
            try:
                expected = study.identify(record.config)
            except ValueError as error:
                raise records.RecordError(f"{path}: {error}") from error
            if record.id != expected:
                raise records.RecordError(f"{path}: its settings belong to the id {expected}")
        print(f"{len(found)} records verified in {records.folder()}")
        return 0
    configs = [
        study.with_profile(config | {"images": options.images}, options.profile)
        for config in study.runs()
        if options.images == "published" or config["split_by"] == "published"
    ]
    chosen = [
        config
        for config in configs
        if all(
            word in f"{study.identify(config)} {study.describe(config)}" for word in options.only
        )
    ]
    if not chosen:
        raise ValueError(f"no run of study.yml holds {' and '.join(options.only)}: see --list")
    if options.list:
        for config in chosen:
            record = study.recorded(config)
            state = record.status if record else "missing"
            print(f"{state:10}  {study.identify(config):24}  {study.describe(config)}")
        return 0
    todo = [
        config
        for config in chosen
        if (record := study.recorded(config)) is None or record.status == "failed"
    ]
    print(f"{len(chosen) - len(todo)} of {len(chosen)} runs have a record.")
    failed = 0
    with tqdm(todo, desc="study", unit=" runs", disable=not todo) as bar:
        for config in bar:
            bar.set_postfix_str(study.describe(config))
            try:
                record = study.compute(config)
                tqdm.write(f"{record.id}  {study.describe(config)}  {record.seconds:.0f} s")
            except study.RunError as error:
                failed += "infeasible" not in str(error)
                tqdm.write(f"{study.identify(config)}  {error}")
    return 1 if failed else 0


def _audit(options):
    from bloodlib import leakage

    if options.remake:
        from bloodlib import matching

        matching.remake()
    found = leakage.audit()
    print(json.dumps(found, indent=1) if options.json else leakage.audit_text(found))


def _report(options):
    from bloodlib import tables

    report = tables.report()
    print(json.dumps(report, indent=1) if options.json else tables.report_text(report))


if __name__ == "__main__":
    sys.exit(main())

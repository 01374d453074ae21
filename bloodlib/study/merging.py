"""Records of other machines, put to those of this one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bloodlib import study
from bloodlib.study import records


def merge(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Copy the records of a folder to where they belong here, each in one step.

    A record there is copied if there is none here, if ours says that the run failed, or if it goes
    on from ours with more epochs. Where both differ, ours stays.

    Parameters
    ----------
    folder : pathlib.Path
        Records of another machine, such as a copy of its ``results/runs``; a folder that has them
        in ``runs`` or ``results/runs`` will do.

    Yields
    ------
    tuple of str
        Id; ``added``, ``extended``, ``same``, ``kept`` (ours), ``failed`` (there) or ``refused``;
        and why.

    Raises
    ------
    ValueError
        If there are no records.
    """
    inside = (folder / "results" / "runs", folder / "runs", folder)
    found = sorted(next((f for f in inside if f.is_dir()), folder).glob("*.json"))
    if not found:
        raise ValueError(f"there are no records in {folder}")
    for path in found:
        try:
            theirs = records.read(path)
            study.check(theirs)
            with study.lock(theirs.config, wait=False):
                outcome, why = _merge(theirs)
        except (records.RecordError, study.BusyError) as error:
            outcome, why = "refused", str(error)
        yield path.stem, outcome, why


def _merge(theirs):
    where = study.path(theirs.config)
    if theirs.status == "failed":
        return "failed", theirs.reason
    try:
        ours = records.read(where)
        study.check(ours)
    except records.MissingRecordError:
        ours = None
    if ours is None or ours.status == "failed":
        records.copy(theirs, where.parent)
        return "added", _origin(theirs)
    if ours.status != theirs.status:
        return "kept", f"ours is {ours.status}, theirs {theirs.status}"
    if ours.status != "complete":
        return "same", ""
    longer, shorter = (ours, theirs) if ours.epochs > theirs.epochs else (theirs, ours)
    begun = longer.arrays["labels"][: shorter.epochs]
    if longer.epochs > shorter.epochs and np.array_equal(begun, shorter.arrays["labels"]):
        if longer is ours:
            return "same", ""
        records.copy(theirs, where.parent)
        return "extended", f"from {ours.epochs} to {theirs.epochs} epochs"
    if different := records.differences(ours, theirs.arrays):
        made = f"ours was made {_origin(ours)}, theirs {_origin(theirs)}"
        return "kept", f"{', '.join(different)}; {made}"
    return "same", ""


def _origin(record):
    where = record.environment["device"]
    where = record.environment["processor"] if where == "processor" else where
    return f"at {record.started} on {where}"

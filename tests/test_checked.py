"""The frozen tally is read whole or refused, and its tables say what it says."""

import pytest
import tally

from bloodlib.analyses import checked
from bloodlib.study import records

FOUND = {
    "command": "make check-freeze",
    "environment": {"commit": "abc", "processor": "a processor"},
    "started": "2026-01-01T00:00:00+00:00",
    "seconds": 60,
    "faults": {
        name: tally.NONE | {"tried": 10 + i, "survived": 9 + i, "times": 100, "inputs": 1000 * i}
        for i, name in enumerate(checked.HEADINGS)
    },
    "mutants": {
        "scores": {
            "mutants": 50,
            "tried": 20,
            "killed": 19,
            "survivors": [{"line": 3, "was": "a < b", "is": "a <= b", "why": "never equal"}],
        }
    },
    "coverage": {"scores": {"branches": 4, "reached": 3}},
}


def test_what_is_frozen_is_read(folders):
    checked.freeze(FOUND)
    assert checked.read() == FOUND


def test_the_tally_is_one_line():
    assert checked.tally(FOUND) == (
        "faults: 91 tried, 84 survived; fuzzed: 21,000 inputs; mutants: 19 of 20 killed"
    )
    some = FOUND["faults"] | {"load": tally.NONE | {"skipped": 2}}
    assert "survived (2 not tried here);" in checked.tally(FOUND | {"faults": some})


def test_what_was_not_frozen_names_the_command(folders):
    with pytest.raises(records.MissingRecordError, match="`make check-freeze` makes it"):
        checked.read()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"faults": [], "mutants": {}}'])
def test_what_was_harmed_is_not_read(folders, raw):
    (folders.results / checked.FILE).write_bytes(raw)
    with pytest.raises(records.RecordError, match="'git checkout results' restores it"):
        checked.read()


def test_tables_have_a_line_for_each():
    assert checked.load_faults(FOUND)["Faults"].tolist() == list(range(10, 17))
    assert checked.load_modules(FOUND).to_dict("records") == [
        {
            "Module": "`scores`",
            "Mutants": 50,
            "Tried": 20,
            "Killed": 19,
            "Branches": 4,
            "Reached": 3,
        }
    ]
    (line,) = checked.load_survivors(FOUND).to_dict("records")
    assert line["Where"] == "`scores`, line 3"
    assert line["Why no test can tell"] == "never equal"
    nothing = {"mutants": {"scores": FOUND["mutants"]["scores"] | {"survivors": []}}}
    assert checked.load_survivors(FOUND | nothing).empty


def test_the_share_that_may_go_unnoticed():
    def found(killed, tried):
        mutants = {"scores": FOUND["mutants"]["scores"] | {"killed": killed, "tried": tried}}
        return FOUND | {"mutants": mutants}

    # with none of n missed, the share p that would be with a probability of 5 %: (1 - p)^n = 0.05
    assert checked.unnoticed(found(59, 59)) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert checked.unnoticed(found(50, 59)) > checked.unnoticed(found(59, 59))
    assert checked.unnoticed(found(0, 9)) == 1


def test_every_heading_has_its_faults(pytestconfig):
    files = (pytestconfig.rootpath / "tests" / "faults").glob("test_*.py")
    assert {path.stem.removeprefix("test_") for path in files} == set(checked.HEADINGS)

"""``codecheck.yml`` keeps the rules of CODECHECK's specification 2.0 that are the authors' to keep.

The rules by their identifiers in the register's list: https://github.com/codecheckers/register,
``rules-2.0.yml``. Those that look something up on the Internet are left out.
"""

import re
from pathlib import Path, PurePosixPath

import pytest
import yaml
from conftest import CHECKOUT

from bloodlib import cli

TEXT = (CHECKOUT / "codecheck.yml").read_text(encoding="utf-8")
FILE = yaml.safe_load(TEXT)
VERSION = "https://codecheck.org.uk/spec/config/2.0/"
COMMAND = re.compile(r": (bloodlib .+) \((\d+) min\)$")


def inside(path):
    return not PurePosixPath(path).is_absolute() and ".." not in PurePosixPath(path).parts


def broken(text, root=CHECKOUT):
    """The identifiers of the rules of severity "error" that a file breaks."""
    file = yaml.safe_load(text)
    manifest, paper = file.get("manifest") or [], file.get("paper") or {}
    authors, checkers = paper.get("authors") or [], file.get("codechecker") or []
    orcid = re.compile(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]")
    kept = {
        "CC-CFG-002": re.search("^---$", text, re.MULTILINE),
        "CC-CFG-004": isinstance(file.get("manifest"), list) and manifest,
        "CC-CFG-005": all("file" in item for item in manifest),
        "CC-CFG-006": all(inside(item.get("file", "")) for item in manifest),
        "CC-CFG-008": checkers,
        "CC-CFG-009": all(one.get("name") for one in checkers),
        "CC-CFG-011": file.get("report"),
        "CC-CFG-013": "zenodo.FIXME" not in str(file.get("report")),
        "CC-CFG-016": paper,
        "CC-CFG-017": paper.get("title"),
        "CC-CFG-018": isinstance(authors, list) and authors,
        "CC-CFG-019": all(one.get("name") for one in authors),
        "CC-CFG-020": all(orcid.fullmatch(one.get("ORCID", "")) for one in authors),
        "CC-CFG-021": paper.get("reference"),
        "CC-CFG-023": not re.search("FIXME|TODO|XXXXX", text),
        "CC-CFG-024": file.get("summary"),
        "CC-CFG-025": file.get("certificate"),
        "CC-CFG-026": re.fullmatch(r"\d{4}-\d{3,}", file.get("certificate", "0000-000")),
        "CC-CFG-029": isinstance(paper.get("reference-other", []), list),
        "CC-BUN-001": all((root / item.get("file", "none")).is_file() for item in manifest),
    }
    return {rule for rule, is_kept in kept.items() if not is_kept}


def test_only_what_a_check_adds_is_missing():
    assert broken(TEXT) == {"CC-CFG-008", "CC-CFG-011", "CC-CFG-020", "CC-CFG-024", "CC-CFG-025"}
    assert FILE["version"] == VERSION
    assert FILE["paper"]["reference"].startswith("https://")


def test_what_a_check_adds_completes_it():
    person = "{name: A, ORCID: 0000-0002-1825-0097}"
    added = TEXT.replace("- name: The bloodlib authors", f"- {person}") + (
        f"codechecker: [{person}]\nreport: https://doi.org/10.5281/zenodo.1\n"
        "summary: as stored\ncertificate: 2026-001\n"
    )
    assert broken(added) == set()


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("---", "", {"CC-CFG-002"}),
        ("file: results/boxes.csv\n    comment", "comment", {"CC-CFG-005", "CC-BUN-001"}),
        ("file: results/boxes.csv", "file: ../boxes.csv", {"CC-CFG-006", "CC-BUN-001"}),
        ("file: results/boxes.csv", "file: results/none.csv", {"CC-BUN-001"}),
        ("  title:", "  heading:", {"CC-CFG-017"}),
        ("- name: The", "- called: The", {"CC-CFG-019"}),
        ("make env", "FIXME", {"CC-CFG-023"}),
    ],
)
def test_a_broken_rule_is_noticed(old, new, rules):
    assert old in TEXT
    assert broken(TEXT.replace("%YAML 1.1\n", "").replace(old, new, 1)) - broken(TEXT) == rules


def test_it_is_what_is_cited():
    cited = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert FILE["paper"]["title"] == cited["title"]
    assert FILE["paper"]["authors"] == cited["authors"]
    assert FILE["repository"] == FILE["paper"]["reference"] == cited["repository-code"]


def test_each_output_has_a_command_that_there_is_and_the_times_add_up():
    minutes = 0
    for item in FILE["manifest"]:
        command, time = COMMAND.search(item["comment"]).groups()
        cli._parser().parse_args(command.split()[1:])
        minutes += int(time)
        if "--only" in command:
            assert command.endswith(f"--only {Path(item['file']).stem}")
    assert minutes == FILE["bloodlib"]["minutes"]

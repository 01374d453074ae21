"""The page on citing says what CITATION.cff says."""

import re
from pathlib import Path

import pytest
import yaml

from bloodlib.data import images

ROOT = Path(__file__).parents[1]
CITED = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
PAGE = (ROOT / "chapters" / "cite.md").read_text(encoding="utf-8")


def entries():
    """The page's BibTeX entries by their title."""
    found = {}
    for entry in re.findall(r"^@\w+\{.*?^\}$", PAGE, re.MULTILINE | re.DOTALL):
        fields = dict(re.findall(r"^ +(\w+) += \{(.*)\},?$", entry, re.MULTILINE))
        found[fields["title"]] = fields
    return found


@pytest.mark.parametrize("work", [CITED, *CITED["references"]], ids=lambda work: work["title"])
def test_bibtex_is_that_of_the_file(work):
    fields = entries()[work["title"]]
    author = work["authors"][0]
    assert author.get("family-names", author.get("name")) in fields["author"]
    for key in ("journal", "volume", "version", "year", "doi", "license"):
        if key in work and key in fields:
            assert fields[key] == str(work[key]), key
    for key in {"journal", "volume", "version", "doi"} & set(work):
        assert key in fields, key
    if "start" in work:
        assert fields["pages"] == f"{work['start']}--{work['end']}"
    if "commit" in work:
        assert work["commit"] in fields["note"]
        assert fields["url"] == work["repository-code"]


def test_nothing_else_is_cited():
    assert set(entries()) == {work["title"] for work in (CITED, *CITED["references"])}
    assert images.SOURCE.commit in {work.get("commit") for work in CITED["references"]}

"""The book's prose keeps to the field's words: what readers stumbled over stays out.

Vale and textlint can't be installed from Python's registry alone, and proselint takes no rules of
one's own; so the rules are here, and prose is read as it is wrapped. Spelling is codespell's.
"""

import ast
import re

import jupytext
import pytest
from conftest import CHECKOUT

#: What is not to be written, as a regular expression, and what to write.
WORDS = {
    r"t(?:old|ells?|elling) (?:[\w']+ ){0,6}?apart": "distinguish; or: the CI excludes zero",
    r"leaves? (?:out )?zero(?: out)?": "the CI excludes zero",
    r"\w+ less (?:that|those|the|epoch|max|average) ": "minus",
    r"interval(?:s)?(?:,)? by cell": "95 % CI over cells",
    r"effective images": "effective sample size",
    r"lineage": "the Kaggle notebook",
    r"(?<!comparison\.)frozen": "stored, saved",
    r"(?<!back)\bground(?! truth)": "background",
    r"(?:the|a) small network": "compact CNN",
    r"likeness": "out-of-distribution score",
    r"harmonis\w+|tinted|restained": "stain normalisation",
    r"\bdisturb(?:ed|ances?)": "corrupted, corruption",
    r"\bgaze\b|\battention (?:maps?|is)": "attribution map",
    r"\breadings\b": "variants",
    r"contenders": "methods compared",
    r"is right for \{": "classifies ... correctly",
    r"whoever|\btheirs\b|somebody|\bone who\b": "name who does what",
    r"\b(?:the|a|what|largest|mean) shares?\b|\bshares? of\b": "fraction",
    r"\bchances\b": "probabilities",
    r"What it takes for what": "Confusion matrix",
    r"\bchapters? \d": "a link to the page, whose number the contents give",
    r"asked about (?:TEST|it)": "evaluated on",
}
PAGES = [
    *sorted((CHECKOUT / "chapters").glob("*.py")),
    *sorted((CHECKOUT / "chapters").glob("*.md")),
]
PAGES += [
    CHECKOUT / name for name in ("index.py", "README.md", "CONTRIBUTING.md", "results/README.md")
]
MODULES = sorted((CHECKOUT / "bloodlib").rglob("*.py"))


def prose(path):
    """What a reader reads: text without code, captions, and what docstrings and tables say."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        texts = [source]
    elif path in MODULES:
        tree = ast.walk(ast.parse(source))
        kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
        texts = [ast.get_docstring(node) or "" for node in tree if isinstance(node, kinds)]
    else:
        cells = jupytext.reads(source, fmt="py:percent").cells
        texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
        for cell in cells:
            found = cell.metadata.get("mystnb", {})
            texts += [*found.get("figure", {}).values(), *found.get("image", {}).values()]
            if cell.cell_type == "code":
                strings = (
                    n.value for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Constant)
                )
                texts += [value for value in strings if isinstance(value, str) and " " in value]
    plain = re.sub(r"(?ms)^```(?!\{).*?^```|``.*?``|`[^`]*`|\$\$.*?\$\$", " X ", "\n\n".join(texts))
    return re.sub(r"\s+", " ", plain)


@pytest.mark.parametrize(
    "path", [*PAGES, *MODULES], ids=lambda p: p.relative_to(CHECKOUT).as_posix()
)
def test_words(path):
    text = prose(path)
    found = [
        f"{text[max(0, m.start() - 30) : m.end() + 20]!r}: write {better}"
        for word, better in WORDS.items()
        for m in re.finditer(word, text, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)

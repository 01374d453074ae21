"""The book in print: all of it there, and nothing over the edge of a page.

Needs XeLaTeX; ``make pdf`` says which packages bring it.
"""

import re
import shutil
import subprocess

import pytest

from bloodlib.book.publishing import REFERENCE as PAGES

pytestmark = pytest.mark.tex
TOOLS = ("make", "xelatex", "latexmk", "xindy")


@pytest.fixture(scope="module")
def latex(root, built, build):
    """Folder of the book's source for LaTeX."""
    done = build("--builder", "latex")
    assert done.code == 0, done.printed[-3000:]
    return root / "_build" / "latex"


@pytest.fixture(scope="module")
def source(latex):
    return (latex / "book.tex").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def log(latex):
    """What XeLaTeX said in its last pass."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        pytest.skip(f"no PDF is made without {', '.join(missing)}: see `make pdf`")
    (latex / "book.pdf").unlink(missing_ok=True)
    done = subprocess.run(
        ["make", "all-pdf", "LATEXMKOPTS=-interaction=nonstopmode -halt-on-error -g"],
        cwd=latex,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert (latex / "book.pdf").stat().st_size > 1_000_000
    return (latex / "book.log").read_text(encoding="utf-8", errors="replace")


def test_every_page_is_there(source, contents, pages):
    titles = re.findall(r"\\(?:chapter|section)\{(.+?)\}\n", source)
    shown = {re.sub(r"\\\w+|[{}]", "", title).strip()[-20:] for title in titles}
    wanted = [
        re.sub(r"^[\d.]+ |#$", "", pages[name].find("h1").get_text())
        for name in contents[1:]
        if not name.startswith(PAGES)
    ]
    assert [title for title in wanted if title.strip()[-20:] not in shown] == []


def test_every_figure_table_and_equation_is_there(source, pages, latex):
    articles = [page.find("article") for name, page in pages.items() if not name.startswith(PAGES)]
    tags = sum(
        len(re.findall(r"\\tag\{", math.get_text())) for a in articles for math in a.select(".math")
    )
    assert source.count(r"\begin{figure}") == sum(len(a("figure")) for a in articles)
    assert source.count(r"\begin{longtable}") == sum(len(a("table")) for a in articles)
    assert source.count(r"\tag{") == tags
    drawn = re.findall(r"\\sphinxincludegraphics(?:\[.*?\])?\{\{(.+?)\}(\.\w+)\}", source)
    assert all((latex / "".join(name)).is_file() for name in drawn)
    assert len(drawn) == source.count(r"\begin{figure}")


def test_what_only_a_browser_shows_is_said_in_words(source):
    assert "In print there is nothing to try" in source


def test_what_is_for_the_screen_is_left_out(source, pages):
    assert pages["chapters/tables"].find("span", "screen")
    assert "paper\u2019s as a diamond" not in source
    assert PAGES not in source
    assert r"\printindex" not in source
    runs = source.count("Repeat    bloodlib study")
    assert 10 < runs < 30
    assert runs < pages["chapters/provenance"].get_text().count("Repeat    bloodlib study")


def test_every_link_leads_somewhere(source):
    labels = set(re.findall(r"\\label\{\\detokenize\{(.*?)\}\}", source))
    links = set(re.findall(r"\\(?:hyper)?ref[\[{]\\detokenize\{(.*?)\}", source))
    assert len(links) > 300
    assert links - labels == set()


def test_links_to_chapters_have_their_numbers(source):
    linked = r"\DUrole{doc}{How sure are these numbers?}}}}, chapter~\ref{"
    assert linked in source
    assert source.count(r"\DUrole{doc}{") == source.count("}}}}, chapter~\\ref{")


def test_no_reference_and_no_letter_is_missing(log):
    assert not re.findall(r"(?m)^(?:LaTeX|Package) .*Warning: .*undefined.*", log)
    assert not re.findall(r"Missing character.*", log)


def test_nothing_goes_over_the_edge(log):
    assert not re.findall(r"Overfull \\vbox.*", log)
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(over, default=0) < 5

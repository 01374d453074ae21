"""The built book, read page by page; what a reader would stumble over fails here."""

import itertools
import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import tiny_book
import yaml
from bs4 import BeautifulSoup
from sklearn.metrics import precision_recall_fscore_support

from bloodlib import __version__, study
from bloodlib.book import chapter, publishing, tables
from bloodlib.data import stored

CLASSES = {
    "four": ["NEUTROPHIL", "EOSINOPHIL", "MONOCYTE", "LYMPHOCYTE"],
    "two": ["Mononuclear", "Polynuclear"],
}
#: They end with questions.
CHAPTERS = [
    f"chapters/{name}"
    for name in (
        "claims", "images", "photographs", "intervals", "convolution", "network", "training",
        "tables", "epochs", "external_validation", "comparison", "leakage", "arithmetic",
        "behaviour", "variants", "cost",
    )
]  # fmt: skip
WITHOUT_QUESTIONS = {f"chapters/{name}" for name in ("variants", "cost")}  # appendices
BASELINES = {"NB": {"kind": "Gaussian"}, "SVM": {"kind": "C", "kernel": "rbf", "C": 1.0}}


def article(page):
    """What the page itself says, without the theme round it."""
    return page.find("article")


def prose(page):
    """The page's words, without its code."""
    copy = BeautifulSoup(str(article(page)), "html.parser")
    for code in copy.find_all(["pre", "code", "script", "style"]):
        code.decompose()
    return copy.get_text(" ")


def cells_of(table):
    return [[c.get_text(" ", strip=True) for c in r.find_all(["th", "td"])] for r in table("tr")]


def here(root):
    """Beginnings of paths that only this machine has."""
    places = {root, root.resolve(), Path.home(), stored.cache_folder(), stored.data_folder()}
    places.add(Path(tempfile.gettempdir()) / "bloodlib-")
    return [str(place) for place in places if len(place.parts) > 1]


# --------------------------------------------------------------------------- the build


def test_the_book_builds_without_a_warning(built):
    found = [line for line in built.printed.splitlines() if re.search("WARNING|ERROR", line)]
    assert not found, "\n".join(found)
    assert built.code == 0, built.printed[-3000:]


def test_nothing_runs_when_nothing_changed(built, build, root):
    again = build()
    assert again.code == 0, again.printed[-3000:]
    assert f"chapters: 0 run, {len(chapter.sources(root))} unchanged" in again.printed


def test_every_chapter_has_a_stamp(built, root):
    names = [s.relative_to(root).with_suffix("").as_posix() for s in chapter.sources(root)]
    assert list(chapter.stamps(root)) == names


# --------------------------------------------------------------------------- the sources


def sources(root):
    found = [*root.glob("*.py"), *(root / "chapters").glob("*.py"), *root.glob("chapters/*.md")]
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in found}


def test_contents_and_sources_are_the_same(root, contents):
    assert len(set(contents)) == len(contents)
    assert set(contents) == set(sources(root))


def test_the_numbered_contents_are_short_and_earlier_addresses_lead_to_them(root, html, contents):
    parts = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    assert sum(len(part["chapters"]) for part in parts if part.get("numbered")) <= 24
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    for old, new in settings["sphinx"]["config"]["redirects"].items():
        assert f"chapters/{new.removesuffix('.html')}" in contents
        page = BeautifulSoup((html / f"{old}.html").read_text(encoding="utf-8"), "html.parser")
        assert page.find("meta", content=f"0; url={new}"), old


def test_notebooks_hold_no_path_of_this_machine(built, root):
    for source in chapter.sources(root):
        text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
        assert not [place for place in here(root) if place in text], source.name


# --------------------------------------------------------------------------- each page


def test_headings_begin_with_one_of_the_first_rank_and_leave_none_out(pages):
    for name, page in pages.items():
        ranks = [int(h.name[1]) for h in article(page)(re.compile(r"^h[1-6]$"))]
        assert ranks.count(1) == 1, name
        assert all(b <= a + 1 for a, b in itertools.pairwise(ranks)), name


def test_no_page_shows_a_failure(pages):
    for name, page in pages.items():
        if name.startswith("chapters/reference_"):  # they speak of Python
            continue
        text = article(page).get_text(" ")
        for word in ("Traceback (most recent call last)", "MissingRecord", "papermill-error"):
            assert word not in text, name
        found = re.findall(r".{30}(?<![\w'])(?:nan|NaN|None|NaT|inf)(?![\w']).{10}", prose(page))
        assert not found, (name, found)


def test_no_page_shows_what_should_have_been_resolved(pages):
    for name, page in pages.items():
        found = re.findall(r"\{(?:glue|numref|doc|cite|ref|eq|math)\b[^}]*\}", prose(page))
        assert not found, (name, found)
        assert "pasted" not in prose(page).lower(), name


def test_every_page_has_a_policy_that_fits_its_scripts(html):
    """What a page may load and run; test_browser.py has whether all works under it."""
    for path in html.rglob("*.html"):
        if "_static" in path.relative_to(html).parts:
            continue
        text = path.read_text(encoding="utf-8")
        (given,) = re.findall('<meta http-equiv="Content-Security-Policy" content="(.*?)">', text)
        assert given == publishing.policy(text), path.name
        assert "connect-src 'none'" in given
        scripts = given.partition("script-src")[2]
        assert "unsafe-inline" not in scripts
        assert "unsafe-eval" not in scripts


def test_no_page_shows_a_path_of_this_machine(html, root):
    for path in [*html.rglob("*.html"), *html.rglob("*.svg"), html / "searchindex.js"]:
        text = path.read_text(encoding="utf-8")
        found = [place for place in here(root) if place in text]
        assert not found, (path.name, found)


def test_the_page_to_try_says_how_much_it_loads(html):
    weights = sum(file.stat().st_size for file in (html / "try-it").glob("weights-*.js"))
    text = (html / "chapters" / "try_it.html").read_text()
    assert f"some {weights / 1e6:.0f} MB" in " ".join(text.split())


def test_figures_say_no_missing_number(html):
    for path in (html / "_images").glob("*.svg"):
        assert ">nan<" not in path.read_text(encoding="utf-8"), path.name


def test_images_are_there_and_described(html, pages):
    for name, page in pages.items():
        for image in page("img"):
            assert image.get("alt", "").strip(), (name, image["src"])
            where = urlsplit(image["src"])
            if not where.scheme:
                assert (html / name).parent.joinpath(unquote(where.path)).is_file(), image["src"]
        for image in article(page)("img"):
            assert len(image["alt"].split()) > 8, (name, image["alt"])


def test_links_lead_somewhere(html, pages):
    anchors = {}

    def known(path):
        if path not in anchors:
            page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            anchors[path] = {tag["id"] for tag in page(id=True)}
        return anchors[path]

    for name, page in pages.items():
        for link in page("a", href=True):
            where = urlsplit(link["href"])
            if where.scheme or where.netloc or link["href"] == "#":
                continue
            path = (html / f"{name}.html").parent.joinpath(unquote(where.path)).resolve()
            path = path if where.path else html / f"{name}.html"
            assert path.is_file(), (name, link["href"])
            if where.fragment and path.suffix == ".html":
                assert unquote(where.fragment) in known(path), (name, link["href"])


def test_tables_and_figures_have_a_number_a_caption_and_a_reference(pages):
    targets = {
        unquote(urlsplit(link["href"]).fragment)
        for page in pages.values()
        for link in article(page)("a", href=True)
        if "headerlink" not in link.get("class", []) and link.find(class_="std-numref")
    }
    for name, page in pages.items():
        tables = [t for t in article(page)("table") if not t.find_parent("table")]
        for thing in [*tables, *article(page)("figure")]:
            number = thing.find(class_="caption-number")
            caption = thing.find(class_="caption-text")
            assert number, (name, thing.get_text(" ")[:80])
            assert re.match(r"(Tab|Fig)\. \d", number.get_text()), (name, number)
            assert len(caption.get_text().split()) > 1, (name, thing.get("id"))
            assert thing["id"] in targets, (name, thing["id"])
        for image in article(page)("img"):
            assert image.find_parent("figure"), (name, image["src"])


def test_rows_are_as_long_as_their_header(pages):
    for name, page in pages.items():
        for table in article(page)("table"):
            assert len({len(row) for row in cells_of(table)}) == 1, (name, table.get("id"))


def test_every_chapter_ends_with_questions_and_computed_answers(pages):
    for name in set(CHAPTERS) - WITHOUT_QUESTIONS:
        section = article(pages[name]).find_all("h2")[-1].find_parent("section")
        assert section["id"] == "questions", name
        answers = section("details")
        assert 1 <= len(answers) <= 6, name
        asked = [p for p in section("p") if re.match(r"\d\. .*\?", p.get_text())]
        assert [p.get_text()[0] for p in asked] == [str(k + 1) for k in range(len(answers))], name
        for answer in answers:
            assert answer.find("summary").get_text(strip=True) == "Answer", name
            assert "open" not in answer.attrs, name
            numbers = [n.get_text() for n in answer(class_="pasted-text")]
            assert any(re.search(r"\d", number) for number in numbers), (name, answer.get_text())


# --------------------------------------------------------------------------- what they say


def recomputed(config):
    """Precision, recall and F1 of a frozen record, from its files, by scikit-learn."""
    folder = stored.results_folder() / "runs"
    defaults = {"seed": 0, "images": "published", "images_per_class": None}
    defaults |= {"split_by": "published", "features": "pixels"}
    contents = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    (content,) = [
        content
        for content in contents
        if (defaults | config).items() <= study.resolve(content["config"]).items()
    ]
    with np.load(folder / content["arrays"]["file"]) as arrays:
        truth, labels = arrays["truth"], arrays["labels"][-1]
    values = np.array(precision_recall_fscore_support(truth, labels, zero_division=0)[:3])
    rows = dict(zip(CLASSES[config["task"]], values.T, strict=True))
    return rows | {"Average": values.mean(axis=1)}


def test_a_chapter_shows_the_records(tiny, root, monkeypatch):
    """The one real chapter that is built without the others: they take minutes."""
    name = "tables"
    for file in (f"chapters/{name}.py", "study.yml", "references.bib"):
        shutil.copy(root / file, tiny / file)
    toc = f"format: jb-book\nroot: index\nchapters: [file: chapters/{name}]\n"
    (tiny / "_toc.yml").write_text(toc)
    monkeypatch.setenv("BLOODLIB_RESULTS", str(root / "results"))
    done = tiny_book.build(tiny)
    assert done.ran == [name], done.printed[-3000:]
    html = (tiny / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    table = BeautifulSoup(html, "html.parser").find(id="tbl-paper-1")
    assert table, done.printed[-3000:]
    header, *rows = cells_of(table)
    ours = [i for i, title in enumerate(header) if title.endswith("ours")]
    assert [header[i].split()[0].strip(":") for i in ours] == ["Precision", "Recall", "F1"]
    for (method, settings), task in itertools.product(BASELINES.items(), CLASSES):
        shown = {
            row[2].upper(): [row[i] for i in ours] for row in rows if row[:2] == [task, method]
        }
        wanted = recomputed({"method": method, "task": task, **settings})
        numbers = {name: [cell.split()[0] for cell in found] for name, found in shown.items()}
        assert numbers == {n.upper(): [f"{v:.2f}" for v in values] for n, values in wanted.items()}


def test_everything_that_the_paper_shows_stands_in_the_book_once(pages):
    names = [f"fig-paper-{k}" for k in (1, 2, 3, 4, 7, 8)]  # 4 has Figures 5 and 6, too
    names += ["tbl-paper-1", "tbl-paper-2", "tbl-paper-setup"]
    for name in names:
        assert sum(page.find(id=name) is not None for page in pages.values()) == 1, name


@pytest.mark.parametrize(
    ("page", "name", "n"),
    [
        ("chapters/tables", "tbl-paper-1", 72),
        ("chapters/tables", "tbl-paper-2", 48),
    ],
)
def test_each_number_of_ours_has_an_interval_and_leads_to_where_it_comes_from(pages, page, name, n):
    provenance = pages["chapters/provenance"]
    rows = pages[page].find(id=name)("tr")
    printed = [
        row for row in rows if row.find("td") and "–" not in [c.get_text() for c in row("td")]
    ]
    links = [a for row in printed for a in row("a")]
    assert len(links) == n
    for link in links:
        where = urlsplit(link["href"])
        assert where.path.endswith("provenance.html")
        origin = provenance.find(id=where.fragment).find_parent("tr")("td")
        _, _, ours, *runs = (cell.get_text(" ", strip=True) for cell in origin)
        value = link.get_text()
        assert ours.split()[0] == value
        low, high = map(float, re.findall(r"[01]\.\d\d", link.find_parent("td").get_text())[1:])
        assert low <= float(value) <= high
        assert np.mean([float(run) for run in runs]) == pytest.approx(float(value), abs=0.0051)
        if name.startswith("tbl-paper"):
            row = link.find_parent("tr")("td")
            task, method, class_ = (cell.get_text().lower() for cell in row[:3])
            assert where.fragment.startswith(f"{name}-{task}-{method}-{class_}-")


def test_the_page_of_origins_has_every_record(pages, root):
    page = article(pages["chapters/provenance"])
    frozen = [path.stem for path in (root / "results" / "runs").glob("*.json")]
    assert all(page.find(id=tables.anchor(ident)).get_text() == ident for ident in frozen)


def test_the_frozen_records_are_the_runs_of_the_study(root):
    from bloodlib.study import records

    listed = {study.identify(config) for config in study.runs()}
    frozen = {record.id: record.status for record in records.read_all(root / "results" / "runs")}
    assert set(frozen) <= listed  # the rest is still to be computed
    assert set(frozen.values()) <= {"complete", "infeasible"}


def test_the_build_page_tells_what_built_it(pages):
    page = pages["chapters/build"]
    environment = dict(row for row in cells_of(page.find(id="tbl-environment")) if len(row) == 2)
    assert environment["bloodlib"] == __version__
    assert environment["numpy"] == np.__version__
    assert environment["commit"]
    assert environment["images"]
    _, *rows = cells_of(page.find(id="tbl-chapters"))
    assert len(rows) >= len(CHAPTERS)
    assert all(float(seconds) > 0 for *_, seconds in rows)
    if sys.platform != "win32":  # two run at once; NeuroLibre gives a book 7.5 GB
        assert 0 < 2 * max(float(memory) for *_, memory, _ in rows) < 7.5 - 1


# --------------------------------------------------------------------------- what they offer


def buttons(page):
    """Where the buttons at the top of a page lead, by their words."""
    top = page.find(class_="article-header-buttons")
    return {a.get_text(" ", strip=True): a["href"] for a in top("a", href=True)}


def test_a_chapter_is_offered_executed_as_a_script_on_binder_and_on_colab(root, html, pages):
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    repository = settings["repository"]["url"].removeprefix("https://github.com/")
    branch = settings["repository"]["branch"]
    published = root / "_build" / publishing.BRANCH
    for source in chapter.sources(root):
        name = source.relative_to(root).with_suffix("").as_posix()
        found = buttons(pages[name])
        here_ = (html / name).parent
        notebook = json.loads((here_ / found[".ipynb"]).read_text(encoding="utf-8"))
        executed = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        assert any(cell["outputs"] for cell in executed), name
        assert all(cell["execution_count"] for cell in executed), name
        assert (here_ / found[".py"]).read_bytes() == source.read_bytes()
        file = f"{name}.ipynb"
        assert found["Colab"].endswith(f"/github/{repository}/blob/{branch}/{file}")
        assert found["Binder"].endswith(f"/v2/gh/{repository}/{branch}?urlpath=lab/tree/{file}")
        opened = json.loads((published / file).read_text(encoding="utf-8"))
        assert opened["cells"][1:] == notebook["cells"]
        assert settings["repository"]["url"] in "".join(opened["cells"][0]["source"])

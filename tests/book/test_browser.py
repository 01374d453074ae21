"""The pages in a real browser: nothing missing, nothing foreign, nothing in the way.

Needs Chromium (``CHROMIUM`` or on the PATH) and ``pip install '.[browser]'``.
"""

import functools
import http.server
import json
import os
import re
import shutil
import threading

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from bloodlib import paper
from bloodlib.analyses import out_of_distribution, prediction, robustness
from bloodlib.data import images, photographs, synthetic
from bloodlib.data.images import TASKS
from bloodlib.evidence import comparison
from bloodlib.models import weights

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
#: Ways to read: size, scheme, and where the book lies.
WAYS = {"desktop": ("light", "on disk"), "phone": ("dark", "served")}
#: Rules of axe that count; "moderate" and "minor" ones are matters of taste.
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("there is no Chromium: install one, or say where it is with CHROMIUM")
    api = pytest.importorskip("playwright.sync_api", reason="pip install '.[browser]'")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A server that doesn't tell of each request."""

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def addresses(html):
    """Where the book is: served, and on disk."""
    handler = functools.partial(Quiet, directory=str(html))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {
            "served": f"http://127.0.0.1:{server.server_address[1]}",
            "on disk": html.as_uri(),
        }
        server.shutdown()


@pytest.fixture
def opened(browser, addresses):
    """A function that opens a page and returns it; ``page.wrong`` is what went wrong since."""
    contexts = []

    def open_(name, where="on disk", size="desktop", scheme="light", scripts=True):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.wrong, home = [], addresses[where]

        def asked(request):
            if not request.url.startswith((home, "data:", "blob:")):
                page.wrong.append(f"asked for {request.url}")

        page.on("request", asked)

        def failed(request):
            if request.failure != "net::ERR_ABORTED":  # the page was left before it came
                page.wrong.append(f"failed: {request.url} {request.failure}")

        page.on("requestfailed", failed)
        page.on("pageerror", lambda error: page.wrong.append(f"error: {error}"))
        page.on(
            "console",
            lambda told: (
                page.wrong.append(f"{told.type}: {told.text}")
                if told.type in ("error", "warning")
                else None
            ),
        )
        page.goto(f"{home}/{name}.html", wait_until="load")
        return page

    yield open_
    for context in contexts:
        context.close()


def every_page():
    import yaml
    from conftest import CHECKOUT

    text = (CHECKOUT / "_toc.yml").read_text(encoding="utf-8")
    toc = yaml.safe_load(text)
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    files = [one["file"] for one in chapters]
    return [toc["root"], *files, "search", "genindex"]


#: What a page has to show once it is loaded; each answers with what is wrong.
LOOKS = {
    "wide": "document.documentElement.scrollWidth > innerWidth + 1 ? "
    "[`${document.documentElement.scrollWidth} pixels wide`] : []",
    "images": "[...document.images].filter(i => i.loading !== 'lazy' && (!i.complete || "
    "!i.naturalWidth)).map(i => i.src.slice(0, 100))",
    "equations": "[...document.querySelectorAll('.math')].filter(m => "
    "!m.querySelector('mjx-container') || m.querySelector('mjx-merror, [data-mml-node=merror]'))"
    ".map(m => m.textContent.slice(0, 80))",
}


@pytest.mark.parametrize("size", WAYS)
@pytest.mark.parametrize("name", every_page())
def test_a_page_is_whole_and_can_be_used_by_everyone(opened, name, size):
    scheme, where = WAYS[size]
    page = opened(name, where, size, scheme)
    if page.query_selector(".math"):
        page.wait_for_function(
            "document.querySelectorAll('.math').length <= "
            "document.querySelectorAll('mjx-container').length"
        )
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    for what, script in LOOKS.items():
        assert page.evaluate(script) == [], what
    assert page.wrong == []
    assert barriers(page) == []


def barriers(page):
    """What axe-core finds in the way of somebody."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    return [
        f"{rule['id']}: {node['target']}"
        for rule in axe.Axe().run(page).response["violations"]
        if rule["impact"] in SERIOUS
        for node in rule["nodes"][:3]
    ]


def test_an_answer_unfolds_by_keyboard_and_lies_open_on_paper(opened):
    page = opened("chapters/intervals")
    answer = page.query_selector("section#questions details")
    text = answer.query_selector(".sd-card-body p")
    assert not text.is_visible()
    answer.query_selector("summary").focus()
    page.keyboard.press("Enter")
    assert text.is_visible()
    page.keyboard.press("Enter")
    assert not text.is_visible()
    page.emulate_media(media="print")
    assert text.is_visible()


def test_claims_are_filtered_by_verdict(opened):
    page = opened("chapters/claims", size="phone")
    assert len(page.query_selector_all(".claim:visible")) == 34
    page.click("button:has-text('not reproduced')")
    shown = page.query_selector_all(".claim:visible")
    assert 0 < len(shown) < 34
    assert {card.query_selector(".sd-card-title").inner_text() for card in shown} == {
        "Not reproduced"
    }
    without = opened("chapters/claims", scripts=False)
    assert len(without.query_selector_all(".claim:visible")) == 34


@pytest.mark.parametrize("where", ["served", "on disk"])
def test_the_search_finds_monocytes(opened, where):
    page = opened("search", where)
    page.goto(page.url + "?q=monocyte")
    page.wait_for_selector("#search-results li a")
    assert len(page.query_selector_all("#search-results li a")) > 3
    assert page.wrong == []


#: What a page may not do, whoever has written it there; each tells whether it was done.
FORBIDDEN = {
    "run a script that was put in": """() => {
        const script = document.createElement("script");
        script.textContent = "window.done = true";
        document.head.append(script);
        return Boolean(window.done);
    }""",
    "run what a picture does when it fails": """async () => {
        const image = document.createElement("img");
        image.setAttribute("onerror", "window.done = true");
        image.src = "data:,";
        document.body.append(image);
        await new Promise((done) => setTimeout(done, 300));
        return Boolean(window.done);
    }""",
    "send something home": """() => new Promise((done) => {
        document.addEventListener("securitypolicyviolation", () => done(false));
        fetch(location.href.replace(/[^/]*$/, "index.html?secret")).catch(() => {});
        setTimeout(() => done(true), 1000);
    })""",
    "send something elsewhere": """() => new Promise((done) => {
        document.addEventListener("securitypolicyviolation", () => done(false));
        document.createElement("img").src = "http://127.0.0.1:9/secret.png";
        setTimeout(() => done(true), 1000);
    })""",
}


@pytest.mark.parametrize("where", ["served", "on disk"])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_page_may_not(opened, what, where):
    page = opened("chapters/try_it", where)
    page.wait_for_selector("#dclnn button")
    assert page.evaluate(FORBIDDEN[what]) is False


# --------------------------------------------------------------------------------- Try it


@pytest.fixture(scope="module")
def cells():
    """A hundred small pictures: published ones where they are, drawn ones otherwise."""
    if images.available():
        return np.array(images.load("TEST").pixels[::25][:100])
    rng = np.random.default_rng(0)
    return np.stack([images.resize(synthetic.draw(k % 4, rng, (240, 320))) for k in range(100)])


@pytest.mark.parametrize("size", WAYS)
def test_a_chosen_picture_gets_the_answer_of_the_terminal(opened, tmp_path, size):
    from PIL import Image

    path = tmp_path / "a cell.png"
    Image.fromarray(synthetic.draw(1, np.random.default_rng(7), (300, 500))).save(path)
    page = opened("chapters/try_it", WAYS[size][1], size)
    page.wait_for_selector("#dclnn button")
    page.set_input_files("#try-it-file", str(path))
    page.wait_for_selector(".try-it-answer:not([hidden])", timeout=120_000)
    [answer] = prediction.predict([path])
    for task, chances in answer["chances"].items():
        shown = json.loads(page.get_attribute(".try-it-answer", f"data-{task}"))
        np.testing.assert_allclose(shown, list(chances.values()), atol=0.02)
    title = page.inner_text(".try-it-answer h2").lower()
    assert answer["answer"]["four"] in title
    assert title.startswith("flagged") is answer["unlike"]
    assert ("contradict" in title) is answer["contradiction"]
    distance = float(page.get_attribute(".try-it-answer", "data-distance"))
    assert distance == pytest.approx(answer["distance"], rel=0.01)
    assert page.evaluate(LOOKS["wide"]) == []
    assert page.wrong == []


def test_a_drawn_cell_is_chosen_by_keyboard(opened):
    page = opened("chapters/try_it")
    page.wait_for_selector("#dclnn button")
    page.focus("#dclnn button:last-of-type")
    page.keyboard.press("Enter")
    page.wait_for_selector(".try-it-answer:not([hidden])", timeout=120_000)
    assert "synthetic lymphocyte" in page.inner_text(".try-it-answer")
    assert page.inner_text(".try-it-answer h2").startswith("Flagged")


def test_the_stain_of_a_picture_is_changed_by_keyboard_as_by_the_package(opened, tmp_path):
    from PIL import Image

    cell = images.resize(synthetic.draw(0, np.random.default_rng(3), (240, 320)))
    Image.fromarray(cell).save(tmp_path / "cell.png")
    page = opened("chapters/try_it")
    page.wait_for_selector("#dclnn button")
    page.set_input_files("#try-it-file", str(tmp_path / "cell.png"))
    page.wait_for_selector("#try-it-stain", timeout=120_000)
    page.focus("#try-it-stain")
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".try-it-answer p:has-text('blue × 0.70')")
    restained = robustness.change_stain(cell, 0.7)
    for task in TASKS:
        shown = json.loads(page.get_attribute(".try-it-answer", f"data-{task}"))
        np.testing.assert_allclose(shown, weights.predict(task, restained[None])[0], atol=0.03)
    assert page.evaluate("document.activeElement.id") == "try-it-stain"
    assert barriers(page) == []


def test_nothing_is_loaded_before_a_picture_is_chosen(opened):
    page = opened("chapters/try_it", "served")
    page.wait_for_selector("#dclnn button")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("typeof tf") == "undefined"
    loaded = (
        "performance.getEntriesByType('resource').map(r => r.name).filter(n => /weights/.test(n))"
    )
    assert page.evaluate(loaded) == []


@pytest.mark.timeout(1800)  # two networks in JavaScript, on a busy machine
def test_a_hundred_answers_are_those_of_the_terminal(opened, cells):
    page = opened("chapters/try_it")
    page.wait_for_selector("#dclnn button")
    page.click("#dclnn button")
    page.wait_for_selector(".try-it-answer:not([hidden])", timeout=120_000)
    ask = """async ([task, pixels]) => {
        const found = [];
        await new Promise((done) => {
            const kept = bloodlib.give;
            bloodlib.give = (name, value) => { found.push(value); kept(name, value); done(); };
            const script = document.createElement("script");
            script.src = `../try-it/weights-${task}.js`;
            document.head.append(script);
        });
        const network = new bloodlib.Network(found[0]);
        return pixels.map((one) => {
            const { chances, features } = network.answer(Uint8Array.from(one));
            return [chances, features, bloodlib.contrast(one)];
        });
    }"""
    given = out_of_distribution.load_reference()
    reference = {name: array.tolist() for name, array in given.items()}
    judge = "([all, reference]) => all.map((one) => bloodlib.outOfDistribution(one, reference))"
    for task in TASKS:
        want, found = weights.predict(task, cells), []
        for start in range(0, len(cells), 25):
            some = cells[start : start + 25].reshape(-1, 60 * 80 * 3).tolist()
            found += page.evaluate(ask, [task, some])
        chances, features, contrast = zip(*found, strict=True)
        np.testing.assert_array_equal(np.argmax(chances, axis=1), want.argmax(axis=1))
        assert np.abs(chances - want).max() < 0.02
        np.testing.assert_allclose(contrast, out_of_distribution.contrast(cells), atol=1e-6)
        if task == "four":
            away = out_of_distribution.distance(weights.features(cells), given)
            shown = page.evaluate(judge, [features, reference])
            np.testing.assert_allclose([one["distance"] for one in shown], away, rtol=1e-3)
            nearer = out_of_distribution.fraction_nearer(away, given)
            np.testing.assert_allclose([one["nearer"] for one in shown], nearer, atol=2e-3)


# --------------------------------------------------------------------- interactive figures

#: Figures that scripts replace, their pages, and what is in them then.
FIGURES = {
    "fig-confusion": ("chapters/training", ".interactive-matrix button"),
    "fig-paper-7": ("chapters/epochs", "#curves-epoch"),
    "fig-wall": ("chapters/photographs", ".wall-tiles button"),
}


def seen(page, figure):
    """Whether its picture is shown, and whether the interactive figure is."""
    return (
        page.is_visible(f"#{figure} img:not([alt=''])"),  # thumbnails have no words of their own
        page.is_visible(f"#{figure} .interactive"),
    )


def frozen(task="four", pooling="max"):
    found = comparison.saved({"method": "DCLNN", "task": task, "pooling": pooling})
    return {run.config["seed"]: run for run in found}


def rows_of(page, table):
    return [
        [cell.inner_text() for cell in row.query_selector_all("th, td")]
        for row in page.query_selector_all(f"{table} tbody tr")
    ]


@pytest.mark.parametrize("figure", FIGURES)
def test_without_scripts_and_on_paper_the_picture_stands(opened, figure):
    name, inside = FIGURES[figure]
    page = opened(name, scripts=False)
    assert seen(page, figure) == (True, False)
    page = opened(name)
    assert page.is_visible(f"#{figure} {inside}")
    assert seen(page, figure) == (False, True)
    page.emulate_media(media="print")
    assert seen(page, figure) == (True, False)


@pytest.mark.parametrize("size", WAYS)
@pytest.mark.parametrize("figure", FIGURES)
def test_interactive_figures_fit_and_can_be_used_by_everyone(opened, figure, size):
    name, inside = FIGURES[figure]
    scheme, where = WAYS[size]
    page = opened(name, where, size, scheme)
    page.focus(f"#{figure} {inside}")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    for details in page.query_selector_all(f"#{figure} summary"):
        details.click()
    assert page.evaluate(LOOKS["wide"]) == []
    assert page.wrong == []
    assert barriers(page) == []


def test_a_cell_names_the_photographs_behind_it(opened):
    run, behind = frozen()[0], photographs.photographs("TEST")
    truth, labels = run.arrays["truth"], run.arrays["labels"][-1]
    page = opened(FIGURES["fig-confusion"][0])
    for i, j in np.ndindex(4, 4):
        cell = (truth == i) & (labels == j)
        page.hover(f"#fig-confusion tbody tr:nth-child({i + 1}) td:nth-child({j + 2}) button")
        said = page.inner_text("#fig-confusion [aria-live]")
        assert f": {cell.sum()} images, " in said
        found = re.findall(r"(\d+)(?: \((\d+) of \d+\))?(?=,|$)", said, re.MULTILINE)
        found = {int(number): int(n or (behind == int(number)).sum()) for number, n in found}
        numbers, here = np.unique(behind[cell], return_counts=True)
        assert found == dict(zip(numbers.tolist(), here.tolist(), strict=True))
    page.focus("#fig-confusion button")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.textContent")
    assert int(focused) == ((truth == 1) & (labels == 1)).sum()
    page.keyboard.press("Tab")  # the matrix is one stop
    assert page.evaluate("document.activeElement.closest('#fig-confusion table')") is None


def test_scores_follow_the_epoch(opened):
    page = opened(FIGURES["fig-paper-7"][0])
    for task, pooling, seed, keys, epoch in (
        ("four", "max", 2, ["ArrowLeft"] * 3, 22),
        ("four", "max", 5, ["End"], 40),  # of a seed and an epoch that the next network has not
        ("two", "average", 1, ["Home", "ArrowRight"], 2),
    ):
        for name, value in (("task", task), ("pooling", pooling), ("seed", str(seed))):
            page.select_option(f"#curves-{name}", value)
        page.focus("#curves-epoch")
        for key in keys:
            page.keyboard.press(key)
        run = frozen(task, pooling)[seed]
        truth, labels = run.arrays["truth"], run.arrays["labels"][epoch - 1]
        ours = np.stack(
            precision_recall_fscore_support(truth, labels, zero_division=0)[:3], axis=-1
        )
        ours = np.vstack([ours, ours.mean(axis=0)])
        method = {"max": "MaxPooling", "average": "AveragePooling"}[pooling]
        printed = {
            (cell.class_.capitalize(), cell.measure): cell.value
            for cell in paper.TABLE_CELLS
            if (cell.table, cell.method, cell.task) == (2, method, task)
        }
        shown = rows_of(page, "#fig-paper-7 .interactive-table")
        assert [name for name, *_ in shown] == [*map(str.capitalize, TASKS[task]), "Average"]
        for (name, *cells), mine in zip(shown, ours, strict=True):
            theirs = [printed[name, measure] for measure in paper.MEASURES]
            assert [float(cell) for cell in cells[::2]] == theirs
            assert [float(cell) for cell in cells[1::2]] == pytest.approx(mine, abs=0.0051)
        said = page.inner_text("#fig-paper-7 [aria-live]")
        assert f"After epoch {epoch}: accuracy {(truth == labels).mean():.2f} on TEST" in said
    assert page.wrong == []


def test_a_photograph_tells_every_run_s_vote(opened):
    number, tasks = 110, list(TASKS)
    own = photographs.photographs("TEST") == number
    page = opened(FIGURES["fig-wall"][0], size="phone")
    assert rows_of(page, "#fig-wall .interactive-table") == []
    page.focus("#fig-wall .wall-monocyte button")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.focus(f"#fig-wall button[data-number='{number}']")
    page.keyboard.press("Enter")
    assert f"Photograph {number}, monocyte, {own.sum()} images" in page.inner_text(
        "#fig-wall [aria-live]"
    )
    shown = rows_of(page, "#fig-wall .interactive-wide:first-child table")
    networks = [frozen(task, pooling) for task in tasks for pooling in ("max", "average")]
    assert len(shown) == 4 + sum(map(len, networks))
    for task in tasks:
        for pooling in ("max", "average"):
            for seed, run in frozen(task, pooling).items():
                labels = run.arrays["labels"][24][own]
                right = int((labels == run.arrays["truth"][own]).sum())
                answer = TASKS[task][np.bincount(labels).argmax()].capitalize()
                row = ["DCLNN", task, f"pooling {pooling}", str(seed), str(right), answer]
                assert row in shown
    page.click("#fig-wall .wall-lymphocyte button")
    assert "lymphocyte" in page.inner_text("#fig-wall [aria-live]")
    assert len(page.query_selector_all("#fig-wall button[aria-pressed=true]")) == 1
    assert page.wrong == []

"""The pages in a real browser: nothing missing, nothing foreign, nothing in the way.

Needs Chromium (``CHROMIUM`` or on the PATH) and ``pip install '.[browser]'``.
"""

import functools
import http.server
import json
import os
import shutil
import threading
import time

import numpy as np
import pytest

from bloodlib import images, prediction, synthetic, weights
from bloodlib.images import TASKS

pytestmark = pytest.mark.browser
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
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

    def open_(name, where="on disk", size="desktop", scheme="light"):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        contexts.append(context)
        page = context.new_page()
        page.wrong, home = [], addresses[where]

        def asked(request):
            if not request.url.startswith((home, "data:", "blob:")):
                page.wrong.append(f"asked for {request.url}")

        page.on("request", asked)
        page.on("requestfailed", lambda request: page.wrong.append(f"failed: {request.url}"))
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
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
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


@pytest.mark.parametrize("where", ["served", "on disk"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", every_page())
def test_a_page_is_whole(opened, name, size, scheme, where):
    page = opened(name, where, size, scheme)
    if page.query_selector(".math"):
        page.wait_for_function(
            "document.querySelectorAll('.math').length <= "
            "document.querySelectorAll('mjx-container').length"
        )
    shown = page.evaluate("document.documentElement.dataset.theme")
    assert shown == scheme
    for what, script in LOOKS.items():
        assert page.evaluate(script) == [], what
    assert page.wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", every_page())
def test_a_page_can_be_used_by_everyone(opened, name, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="no axe-core")
    page = opened(name, scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    said = [
        f"{rule['id']}: {node['target']}"
        for rule in found
        if rule["impact"] in SERIOUS
        for node in rule["nodes"][:3]
    ]
    assert said == []


@pytest.mark.parametrize("where", ["served", "on disk"])
def test_the_search_finds_monocytes(opened, where):
    page = opened("search", where)
    page.goto(page.url + "?q=monocyte")
    page.wait_for_selector("#search-results li a")
    assert len(page.query_selector_all("#search-results li a")) > 3
    assert page.wrong == []


@pytest.mark.parametrize("where", ["served", "on disk"])
def test_light_and_dark_can_be_chosen(opened, where):
    page = opened("index", where)
    shown = set()
    for _ in range(3):
        page.evaluate("document.querySelector('.theme-switch-button').click()")
        shown.add(page.evaluate("document.documentElement.dataset.mode"))
    assert shown == {"light", "dark", "auto"}
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
    "send something with a beacon": """() => {
        let blocked = false;
        document.addEventListener("securitypolicyviolation", () => { blocked = true; });
        navigator.sendBeacon("http://127.0.0.1:9/secret", "secret");
        return new Promise((done) => setTimeout(() => done(!blocked), 300));
    }""",
    "open a frame of another host": """() => new Promise((done) => {
        document.addEventListener("securitypolicyviolation", () => done(false));
        const frame = document.createElement("iframe");
        frame.src = "http://127.0.0.1:9/";
        document.body.append(frame);
        setTimeout(() => done(true), 1000);
    })""",
}


@pytest.mark.parametrize("where", ["served", "on disk"])
@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_page_may_not(opened, what, where):
    page = opened("chapters/try_it", where)
    page.wait_for_selector("#dclnn button")
    assert page.evaluate(FORBIDDEN[what]) is False


def test_anchors_lead_somewhere(pages, html):
    ids = {
        name: {tag["id"] for tag in page.find_all(id=True)}
        | {tag["name"] for tag in page.find_all("a", attrs={"name": True})}
        for name, page in pages.items()
    }
    lost = []
    for name, page in pages.items():
        for link in page.find_all("a", href=True):
            target, _, anchor = link["href"].partition("#")
            if ":" in target or target.startswith("//"):
                continue
            file = (html / name).parent / target if target else html / f"{name}.html"
            if not file.exists():
                lost.append(f"{name}: {link['href']}")
                continue
            there = file.resolve().relative_to(html.resolve()).with_suffix("").as_posix()
            if anchor and there in ids and anchor not in ids[there]:
                lost.append(f"{name}: {link['href']}")
    assert lost == []


# --------------------------------------------------------------------------------- Try it


@pytest.fixture(scope="module")
def cells():
    """A hundred small pictures: published ones where they are, drawn ones otherwise."""
    if images.available():
        return np.array(images.load("TEST").pixels[::25][:100])
    rng = np.random.default_rng(0)
    return np.stack([images.resize(synthetic.draw(k % 4, rng, (240, 320))) for k in range(100)])


@pytest.mark.parametrize("where", ["served", "on disk"])
@pytest.mark.parametrize("size", SIZES)
def test_a_chosen_picture_gets_the_answer_of_the_terminal(opened, tmp_path, where, size):
    from PIL import Image

    path = tmp_path / "a cell.png"
    Image.fromarray(synthetic.draw(1, np.random.default_rng(7), (300, 500))).save(path)
    page = opened("chapters/try_it", where, size)
    page.wait_for_selector("#dclnn button")
    page.set_input_files("#try-it-file", str(path))
    page.wait_for_selector(".try-it-answer:not([hidden])", timeout=120_000)
    [(_, answer)] = prediction.predict([path])
    for task, chances in answer.chances.items():
        shown = json.loads(page.get_attribute(".try-it-answer", f"data-{task}"))
        np.testing.assert_allclose(shown, list(chances.values()), atol=0.02)
    best = max(answer.chances["four"], key=answer.chances["four"].get)
    assert page.inner_text(".try-it-answer h2").upper().startswith(best)
    assert page.evaluate(LOOKS["wide"]) == []
    assert page.wrong == []


def test_a_drawn_cell_is_chosen_by_keyboard(opened):
    page = opened("chapters/try_it")
    page.wait_for_selector("#dclnn button")
    page.focus("#dclnn button:last-of-type")
    page.keyboard.press("Enter")
    page.wait_for_selector(".try-it-answer:not([hidden])", timeout=120_000)
    assert "drawn lymphocyte" in page.inner_text(".try-it-answer")


def test_what_is_no_picture_is_refused(opened, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no picture")
    page = opened("chapters/try_it")
    page.wait_for_selector("#dclnn button")
    page.set_input_files("#try-it-file", str(path))
    page.wait_for_function(
        "document.querySelector('.try-it-status').textContent.includes('no picture')"
    )
    assert not page.is_visible(".try-it-answer")


def test_nothing_is_loaded_before_a_picture_is_chosen(opened):
    page = opened("chapters/try_it", "served")
    page.wait_for_selector("#dclnn button")
    time.sleep(1)
    assert page.evaluate("typeof tf") == "undefined"
    loaded = (
        "performance.getEntriesByType('resource').map(r => r.name).filter(n => /weights/.test(n))"
    )
    assert page.evaluate(loaded) == 0


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
        return pixels.map((one) => network.answer(Uint8Array.from(one)).chances);
    }"""
    for task in TASKS:
        want, found = weights.predict(task, cells), []
        for start in range(0, len(cells), 25):
            some = cells[start : start + 25].reshape(-1, 60 * 80 * 3).tolist()
            found += page.evaluate(ask, [task, some])
        np.testing.assert_array_equal(np.argmax(found, axis=1), want.argmax(axis=1))
        assert np.abs(found - want).max() < 0.02

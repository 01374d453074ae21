"""Fixtures: folders of a test's own, and cheap methods to try the machinery with."""

import shutil
import signal
import types

import jupytext
import made_up
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from tiny_book import CONFIG, TOC, chapter

from bloodlib import study
from bloodlib.book import chapter as chapters
from bloodlib.data import images, photographs, stored
from bloodlib.data.images import SPLITS, TASKS
from bloodlib.models import methods, training

mpl.use("agg")
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # in a shell's background; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
# some tests move to a folder of their own: the checkout is that of the start
CHECKOUT = stored.checkout()
FAKE = {"method": "fake", "task": "four", "images": "drawn", "images_per_class": 5}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A file's tests share a processor, for their fixtures; so do all that read the built book."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return "tests/book" if path.startswith("tests/book/") else path

    return Files(config, log)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Cache and frozen results in the test's own folder, nothing remembered from before or after.

    ``folders.cache`` and ``folders.results`` are the two; records lie in ``runs`` under each. The
    frozen tables of photographs are among the results.
    """
    found = types.SimpleNamespace(cache=tmp_path / "cache", results=tmp_path / "results")
    monkeypatch.setenv("BLOODLIB_CACHE", str(found.cache))
    monkeypatch.setenv("BLOODLIB_RESULTS", str(found.results))
    found.results.mkdir()
    for name in (*photographs.TABLES, "photographs.json"):
        shutil.copy(CHECKOUT / "results" / name, found.results)
    study.load.cache_clear()
    yield found
    study.load.cache_clear()


@pytest.fixture
def style():
    """The book's style, no figure left open, and nothing remembered."""
    with plt.style.context("bloodlib.book.book"):
        yield
    plt.close("all")


@pytest.fixture
def checkout(folders, tmp_path, monkeypatch):
    """A function that makes a checkout with a ``study.yml`` and moves there."""

    def make(text):
        folder = tmp_path / "a checkout"
        folder.mkdir(exist_ok=True)
        (folder / "study.yml").write_text(text, encoding="utf-8")
        (folder / "_toc.yml").write_text("", encoding="utf-8")
        monkeypatch.chdir(folder)
        return folder

    return make


def certain(labels, classes):
    """Probabilities of one who is certain of the labels."""
    return np.eye(classes, dtype=np.float16)[labels]


def answer(data, task, epochs=1, seed=0, **more):
    """Predictions drawn at random, for so many epochs."""
    rng = np.random.default_rng(seed)
    n = {split: len(data.pixels[split]) for split in SPLITS}
    classes = len(TASKS[task])
    labels = rng.integers(0, classes, (epochs, n["TEST"]), dtype=np.uint8)
    simple = rng.integers(0, classes, n["TEST_SIMPLE"], dtype=np.uint8)
    return methods.Predictions(
        labels, simple, certain(labels[-1], classes), certain(simple, classes), **more
    )


@pytest.fixture
def fake(monkeypatch):
    """A cheap method, "fake", known to this test only; ``fake.calls`` lists what it was given.

    With ``fake.error`` set it raises that. It answers anew each time it is called.
    """
    state = types.SimpleNamespace(calls=[], error=None, during=lambda: None)

    def method(data, task, seed, checkpoint, *, depth: int = 3, rate: float = 0.5, epochs: int = 1):
        state.calls.append({"seed": seed, "depth": depth, "rate": rate, "epochs": epochs})
        state.during()
        if state.error:
            raise state.error
        return answer(
            data, task, epochs, seed=len(state.calls), history={"seconds": [0.5] * epochs}
        )

    monkeypatch.setitem(methods.METHODS, "fake", method)
    return state


@pytest.fixture(scope="session")
def keras():
    """Keras, where its backend is installed."""
    try:
        return training.load_keras()
    except ImportError as error:
        pytest.skip(str(error))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder for datasets, an empty cache, and a made-up manifest."""
    monkeypatch.setenv("BLOODLIB_DATA", str(tmp_path / "data sets"))
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made_up.publish(monkeypatch, made_up.published())
    yield tmp_path / "data sets"
    images.names.cache_clear()


@pytest.fixture
def folder(place):
    """The made-up dataset, where it's looked for."""
    made_up.write(place / images.FOLDER, made_up.published())
    return place / images.FOLDER


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A book of two chapters, with scripts beside them that are none; no images anywhere."""
    root = tmp_path / "a bóok"
    (root / "chapters").mkdir(parents=True)
    (root / "results" / "runs").mkdir(parents=True)
    files = {
        "_config.yml": CONFIG,
        "_toc.yml": TOC,
        "study.yml": "profiles: {}\nruns: []\n",
        "requirements.lock": "numpy==2\n",
        "index.md": "# Tiny\n",
        "results/facts.json": "{}\n",
        "chapters/one.py": chapter("One", "seed = 1", ' tags=["parameters"]') + "\n# %%\nseed\n",
        "chapters/two.py": chapter("Two", "print('two says', 6 * 7)"),
        "chapters/draft.py": chapter("Draft", "raise SystemExit('never run')"),
        "stray.py": "raise SystemExit('never run')\n",
    }
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("BLOODLIB_RESULTS", str(root / "results"))
    monkeypatch.delenv("BLOODLIB_DATA", raising=False)
    monkeypatch.setenv("BLOODLIB_CACHE", str(tmp_path / "cache"))
    return root


@pytest.fixture
def update(tiny, monkeypatch):
    """A function that brings the book up to date and names what ran; nothing is executed.

    ``update.failing`` names chapters that fail, ``update.reads`` what each reads, ``update.given``
    is what the last run was given.
    """
    ran = []

    def run_all(jobs):
        for source, parameters in jobs.items():
            ran.append(source.stem)
            update.given = parameters
            jupytext.write(jupytext.read(source), source.with_suffix(".ipynb"))
            failure = "failed in cell 1: 1 / 0" if source.stem in update.failing else ""
            named = (name.replace("results", str(tiny / "results"), 1)
                     for name in update.reads.get(source.stem, ()))  # fmt: skip
            reads = {name: chapters.state(name) for name in named}
            yield chapters.Outcome(source, 0.1, 0.2, reads, failure)

    def update(**parameters):
        ran.clear()
        config = types.SimpleNamespace(papermill_parameters=parameters)
        chapters.run_stale(types.SimpleNamespace(srcdir=str(tiny), config=config))
        return list(ran)

    monkeypatch.setattr(chapters, "run_all", run_all)
    update.failing, update.reads = set(), {}
    return update

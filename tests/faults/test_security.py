"""What a page may run, and every parser refuses in its own words what it can't read."""

import contextlib
import io
import json
import types
import warnings

import numpy as np
import pytest
from chance import SCALE
from conftest import CHECKOUT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_records import forge, made_up
from made_up import jpeg

from bloodlib import study
from bloodlib.analyses import external_validation, prediction
from bloodlib.book import chapter, publishing
from bloodlib.data import photographs, stored
from bloodlib.models import training
from bloodlib.study import records

# ------------------------------------------------------------------------------- the page's policy

PAGE = """<html><head><meta charset="utf-8"><script>begin()</script>
<script src="a.js"></script><script type="application/json">{"a": 1}</script></head>
<body onload="start()"><script type="module">more()</script></body></html>"""


def rule(text, name):
    return dict(part.split(" ", 1) for part in publishing.policy(text).split("; "))[name].split()


def test_a_policy_allows_the_scripts_of_the_page_and_no_other():
    # printed by `printf 'begin()' | openssl dgst -sha256 -binary | base64`
    begin = "'sha256-15S4FGE7rP6kq/PzA1uIhN3+8zfaO6/TnJp4fMWo7lE='"
    allowed = rule(PAGE, "script-src")
    hashes = [source for source in allowed if source.startswith("'sha256-")]
    assert len(hashes) == 3  # the two that are run, and what the body does when it is loaded
    assert "'unsafe-hashes'" in allowed
    assert "'unsafe-inline'" not in allowed
    assert "'unsafe-eval'" not in allowed
    assert begin in hashes
    assert "'unsafe-hashes'" not in rule(PAGE.replace(' onload="start()"', ""), "script-src")
    for name in ("connect-src", "default-src", "base-uri"):
        assert rule(PAGE, name) == ["'none'"]


def test_a_policy_is_renewed_with_its_page(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE)
    publishing.write_policy(page)
    first = page.read_text()
    publishing.write_policy(page)
    assert page.read_text() == first
    assert first.count("Content-Security-Policy") == 1
    assert first.index("Content-Security-Policy") < first.index("<script>")
    page.write_text(first.replace("begin()", "begin(2)"))
    publishing.write_policy(page)
    assert page.read_text().count("Content-Security-Policy") == 1
    assert page.read_text() != first.replace("begin()", "begin(2)")


# ------------------------------------------------------------------------------------- fuzzing


often = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@st.composite
def spoiled(draw, seeds):
    """A whole file with some bytes altered, left out, put in or repeated; or any bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    raw = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, max(0, len(raw) - 1)))
        how = draw(st.integers(0, 4))
        if how == 0 and raw:
            raw[place] ^= 1 << draw(st.integers(0, 7))
        elif how == 1:
            del raw[place : place + draw(st.integers(1, 20))]
        elif how == 2:
            raw[place:place] = draw(st.binary(min_size=1, max_size=8))
        elif how == 3:
            raw[place:place] = raw[place : place + 50]
        else:
            del raw[place:]
    return bytes(raw)


def plain(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def packed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def picture(kind, mode="RGB"):
    return jpeg(3, (48, 36), mode, kind)


def put(path, raw):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path


def record_json(folder, raw):
    records.check(records.read(put(folder / "fake-four-0123456789.json", raw)))


def record_arrays(folder, raw):
    record = records.write(folder, *made_up())
    forge(record.path, raw)
    records.check(records.read(record.path))


def measurement(folder, raw):
    stored.unpack(raw)


def checkpoint(folder, raw):
    model = types.SimpleNamespace(
        optimizer=types.SimpleNamespace(variables=[]),
        get_weights=lambda: [0],
        set_weights=lambda w: None,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training._restore(model, put(folder / "run.npz", raw))


def answer(folder, raw):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        prediction.read(put(folder / "a.jpg", raw))


def study_file(folder, raw):
    put(folder / "study.yml", raw)
    study.runs()


def stamp(folder, raw):
    put(folder / "_build" / "chapters" / "chapters-one.json", raw)
    chapter.stamps(folder)


def source(folder, raw):
    text = raw.decode("utf-8", errors="replace")
    chapter.assigned(text)
    with contextlib.suppress(ValueError):
        chapter.refuse_unknown_parameters(["seed = 1", f"# Parameters\n{text}"])


def result(name, read):
    def parse(folder, raw):
        put(folder / "results" / name, raw)
        for cached in (photographs.provenance,):
            getattr(cached, "cache_clear", lambda: None)()
        read()

    return parse


def page(folder, raw):
    publishing.policy(raw.decode("utf-8", errors="replace"))


RECORD = json.dumps(
    {"schema": 1, **made_up()[0], "arrays": {"file": "a.01234567.npz", "sha256": "0" * 64}}
).encode()
STATE = {name: [0.5] for name in (*training.HISTORY, "labels", "confusion")}
STATE |= {"TEST": [1], "TEST_SIMPLE": [1], "weight_0": [1.0]}
#: For each parser: files that it reads, and what it may raise.
PARSERS = {
    "a record": (record_json, [RECORD], stored.StoredError),
    "a record's predictions": (
        record_arrays,
        [plain(**made_up()[1]), packed(**made_up()[1])],
        stored.StoredError,
    ),
    "a measurement": (measurement, [plain(a=[1, 2]), packed(b=[0.5])], ValueError),
    "a checkpoint": (checkpoint, [plain(**STATE), packed(**STATE)], ()),
    "a picture": (
        answer,
        [picture(kind) for kind in ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")],
        prediction.PictureError,
    ),
    "study.yml": (
        study_file,
        [
            (CHECKOUT / "study.yml").read_bytes(),
            b"profiles: {}\nruns:\n  - {method: NB, task: [four, two], seed: [0, 1]}\n",
        ],
        ValueError,
    ),
    "a stamp": (stamp, [b'{"key": "a", "notebook": "b", "seconds": 1.5, "at": 12.5}'], ()),
    "a chapter": (source, [(CHECKOUT / "chapters" / "build.py").read_bytes()], ()),
    "a list of pictures": (
        result("pbc.sha256", external_validation.manifest),
        [b"\n".join((CHECKOUT / "results" / "pbc.sha256").read_bytes().splitlines()[:5])],
        stored.StoredError,
    ),
    "where the photographs are from": (
        result("photographs.json", photographs.provenance),
        [(CHECKOUT / "results" / "photographs.json").read_bytes()],
        stored.StoredError,
    ),
    "a page": (page, [PAGE.encode()], ()),
}


@pytest.mark.parametrize("parser", PARSERS)
def test_a_parser_refuses_in_its_own_words(fake, checkout, folders, record_property, parser):
    parse, seeds, refusal = PARSERS[parser]
    folder = checkout("profiles: {}\nruns: []\n")
    (folder / "_toc.yml").write_text(
        "format: jb-book\nroot: index\nchapters: [file: chapters/one]\n"
    )
    put(folder / "chapters" / "one.py", b"")
    folder_of = folders.results.parent if "results" not in parser else folder
    refused = read = 0

    @settings(often, max_examples=80 * SCALE)
    @given(spoiled(seeds))
    def feed(raw):
        nonlocal refused, read
        try:
            parse(folder if parser in ("study.yml", "a stamp") else folder_of, raw)
            read += 1
        except refusal as error:
            refused += bool(str(error))

    feed()
    if refusal:
        assert refused, "nothing was refused: the test shows nothing"
    assert not list(folders.results.parent.glob("evil*"))
    record_property("inputs", refused + read)

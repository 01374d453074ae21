"""The PDF's tables: what their columns get."""

import pytest
from docutils import nodes

from bloodlib.book import printing


def cell(*inside, head=False):
    entry = nodes.entry("", nodes.paragraph("", "", *inside))
    (nodes.thead if head else nodes.tbody)("", nodes.row("", entry))
    return entry


@pytest.mark.parametrize(
    "hidden", [nodes.raw("", "<svg>wide</svg>", format="html"), nodes.Text("\u2060")]
)
def test_what_is_not_shown_takes_no_room(hidden):
    shown = printing._width(cell(nodes.Text("0.94 (0.90)")))
    assert printing._width(cell(nodes.Text("0.94 (0.90"), hidden, nodes.Text(")"))) == shown


def test_capitals_code_and_heads_are_wider():
    plain, _ = printing._width(cell(nodes.Text("word")))
    for wider in (
        cell(nodes.Text("WORD")),
        cell(nodes.literal("", "word")),
        cell(nodes.Text("word"), head=True),
    ):
        assert printing._width(wider)[0] > plain


def test_words_that_stay_together_are_one():
    assert printing._width(cell(nodes.Text("95\u00a0%")))[0] > 4
    assert printing._width(cell(nodes.Text("95 %")))[0] < 4


@pytest.mark.parametrize("wishes", [[10, 20], [100, 200]])
def test_shares_are_of_one_line(wishes):
    found = printing.shares([5, 10], wishes, 100)
    assert sum(found) <= 1 + 1e-9
    assert found[0] < found[1]
    assert all(share >= need / 100 for share, need in zip(found, [5, 10], strict=True))

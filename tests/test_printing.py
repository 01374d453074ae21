"""The PDF's tables: what their columns get."""

import pytest
from docutils import nodes

from bloodlib.book import printing


def column(*texts):
    entries = [nodes.entry("", nodes.paragraph("", "", nodes.Text(text))) for text in texts]
    nodes.tbody("", *(nodes.row("", entry) for entry in entries))
    return entries


@pytest.mark.parametrize("words", [1, 9, 90])
def test_columns_share_one_line_and_the_longer_text_gets_more(words):
    narrow, wide = printing.shares([column("F1", "0.94"), column("Words", "longer " * words)])
    assert narrow + wide <= 1 + 1e-9
    assert narrow * printing.LINE > len("0.94")
    assert (wide > 3 * narrow) == (words > 1)


def test_what_is_not_shown_takes_no_room():
    shown = printing.shares([column("0.94 (0.90)")])
    assert printing.shares([column("0.94 (0.90\u2060)")]) == shown

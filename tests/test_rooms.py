"""The rooms of the library import one way only, as ``pyproject.toml`` says."""

from conftest import CHECKOUT
from importlinter.cli import lint_imports


def test_rooms_import_one_way_only(capsys):
    assert lint_imports(str(CHECKOUT / "pyproject.toml"), no_cache=True) == 0, capsys.readouterr()

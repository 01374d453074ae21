"""Mutation testing: change one thing in a module, and see whether its tests notice.

A mutant differs from the module in one place: a comparison, an operator, a number, a truth value,
a condition turned round, a call or an error left out, a result that is None. Texts, annotations
and decorators are left alone. Each mutant is a process forked from one that has imported all
that is slow to import, and sees the changed module in the place of the real one; nothing on disk
changes. It is killed if a test fails, or runs ten times as long as without it.
"""

import ast
import copy
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
#: The tests of each module; those that fork and kill tell nothing of a changed module.
TESTS = {
    "scores": ["tests/test_scores.py"],
    "arithmetic": ["tests/test_arithmetic.py"],
    "records": [
        "tests/test_records.py",
        "tests/faults/test_records.py",
        "-k",
        "not killed and not byte_of and not share and not merge and not machine",
    ],
}
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr, ast.BitXor: ast.BitOr, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
LEFT_ALONE = ("annotation", "returns", "decorator_list", "type_params")


def source(module: str) -> Path:
    """The file of a module."""
    return ROOT / "bloodlib" / f"{module}.py"


def places(tree: ast.AST):
    """Every node that may be changed: what holds it, in which field, at which place, and itself."""
    for field, value in ast.iter_fields(tree):
        if field in LEFT_ALONE:
            continue
        for place, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or isinstance(node, ast.JoinedStr):
                continue
            yield tree, field, place, node
            yield from places(node)


def changed(node: ast.AST):
    """What a node may become."""

    def with_(**fields):
        other = copy.copy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    def negated(test):
        return ast.UnaryOp(ast.Not(), test)

    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            yield with_(ops=[*node.ops[:i], OTHER[type(op)](), *node.ops[i + 1 :]])
    elif isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)) and type(node.op) in OTHER:
        yield with_(op=OTHER[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield with_(value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield with_(value=node.value + 1)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield with_(value=ast.Constant(None))
    elif (
        isinstance(node, ast.Raise)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        or isinstance(node, (ast.Break, ast.Continue))
    ):
        yield ast.Pass()
    elif isinstance(node, (ast.If, ast.IfExp)) and isinstance(
        node.test, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
    ):
        yield with_(test=negated(node.test))


def mutants(module: str) -> list[tuple]:
    """Every mutant of a module: where to change its tree, to what; and line, before and after."""
    tree = ast.parse(source(module).read_text(encoding="utf-8"))
    found = []
    for holder, field, place, node in places(tree):
        for other in changed(node):
            line = getattr(node, "lineno", 0)
            before, after = (ast.unparse(ast.fix_missing_locations(n)) for n in (node, other))
            found.append((tree, holder, field, place, other, line, before, after))
    return found


def code(mutant: tuple, file: Path):
    """The changed module, compiled."""
    tree, holder, field, place, other, *_ = mutant
    ast.copy_location(
        other, getattr(holder, field) if place is None else getattr(holder, field)[place]
    )
    if place is None:
        setattr(holder, field, other)
    else:
        getattr(holder, field)[place] = other
    ast.fix_missing_locations(tree)
    return compile(tree, str(file), "exec")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives a changed module when it is imported."""

    def __init__(self, name, changed_code):
        self.name, self.code = name, changed_code

    def find_spec(self, name, path=None, target=None):
        """Find the module."""
        if name == self.name:
            return importlib.util.spec_from_loader(name, self, origin=str(ROOT))
        return None

    def exec_module(self, module):
        """Run the module."""
        module.__file__ = str(source(self.name.split(".")[1]))
        exec(self.code, vars(module))


def chance() -> list[str]:
    """Options for Hypothesis: the same examples each time, and none made smaller once one fails."""
    from hypothesis import Phase, settings

    settings.register_profile("mutants", phases=[Phase.explicit, Phase.generate], database=None)
    return ["--hypothesis-profile=mutants", "--hypothesis-seed=0"]


def survives(module: str, mutant: tuple | None, seconds: float) -> tuple[bool, float]:
    """Whether the tests pass with a mutant (with the module as it is, if None), and CPU seconds."""
    sys.stdout.flush()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    child = os.fork()
    if not child:
        ended = 1
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(nowhere, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
            if mutant:
                name = f"bloodlib.{module}"
                sys.meta_path.insert(0, Finder(name, code(mutant, source(module))))
            import pytest

            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
            ended = pytest.main([*options, *chance(), *TESTS[module]])
        except BaseException:
            ended = 1
        finally:
            os._exit(int(ended))
    deadline = time.monotonic() + 20 * seconds
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:  # it waits for something that never comes
            os.kill(child, signal.SIGKILL)
        time.sleep(0.02)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done[1] == 0, used


def main(share: float) -> dict:
    """Try a share of the mutants of each module.

    Parameters
    ----------
    share : float
        From 0 to 1; which ones is the same each time.

    Returns
    -------
    dict
        For each module ``mutants``, ``tried``, ``killed`` and ``survivors``, each with ``line``,
        ``was``, ``is`` and ``why`` (from ``survivors.yml``; empty if nobody has explained it).
    """
    why = yaml.safe_load((ROOT / "tests" / "survivors.yml").read_text(encoding="utf-8")) or {}
    found = {}
    for module in TESTS:
        passed, seconds = survives(module, None, 600)
        if not passed:
            raise SystemExit(f"the tests of {module} fail without any mutant")
        n = len(mutants(module))
        chosen = sorted(random.Random(0).sample(range(n), round(share * n)))
        survivors, start = [], time.monotonic()
        lines = source(module).read_text(encoding="utf-8").splitlines()
        for number in chosen:
            mutant = mutants(module)[number]
            *_, line, was, new = mutant
            if survives(module, mutant, max(5, 10 * seconds))[0]:
                change = f"{was} -> {new}"
                reason = why.get(module, {}).get(lines[line - 1].strip(), {}).get(change, "")
                survivors.append({"line": line, "was": was, "is": new, "why": reason})
                print(f"survived: {module}.py:{line}: {change}", flush=True)
        print(
            f"mutants of {module}: {len(chosen) - len(survivors)} of {len(chosen)} killed "
            f"({time.monotonic() - start:.0f} s)",
            flush=True,
        )
        found[module] = {
            "mutants": n,
            "tried": len(chosen),
            "killed": len(chosen) - len(survivors),
            "survivors": survivors,
        }
    return found


if __name__ == "__main__":
    # imported once, for all mutants; bloodlib is not
    import cv2  # noqa: F401
    import hypothesis  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401

    os.chdir(ROOT)
    result = main(float(sys.argv[1]))
    Path(sys.argv[2]).write_text(json.dumps(result))

"""Sphinx extension: the library's reference, and the links between it and the chapters.

A page of the reference names modules, and autodoc fills it from their docstrings. Each entry gets
a line with the chapters that use it, each chapter a line with what it uses, those of its cells
that a page doesn't show too; and where a chapter names something of the library, the name is a
link.
"""

import ast
import re
from pathlib import Path

from docutils import nodes
from sphinx.util.nodes import make_refnode

from bloodlib.book import chapter

#: How the names of the reference's pages begin.
PAGES = "chapters/reference_"


def setup(app) -> dict:
    """Register the extension with Sphinx, and those that it builds on."""
    app.connect("config-inited", _mock)
    app.connect("env-get-outdated", _outdated)
    app.connect("autodoc-process-docstring", _add_chapters, priority=900)
    app.connect("autodoc-process-signature", _tidy)
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-resolved", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def uses(source: str) -> list[str]:
    """What a script takes from the library.

    Parameters
    ----------
    source : str
        Python, with its imports.

    Returns
    -------
    list of str
        Full names, sorted, such as ``bloodlib.evidence.scores.recall``.
    """
    tree = ast.parse(source)
    known, imported = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "bloodlib":
            for alias in node.names:
                known[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                if node.module.count(".") > 1:  # of a module, not of a room
                    imported.add(f"{node.module}.{alias.name}")
    taken = {
        f"{known[node.value.id]}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in known
    }
    return sorted(taken | imported)


def _mock(app, config):
    """Keep autodoc from importing what it was told to mock, for the source of a base class."""
    from sphinx.pycode import ModuleAnalyzer, PycodeError

    for name in ("keras", "keras.layers", "keras.optimizers"):
        ModuleAnalyzer.cache["module", name] = PycodeError(f"{name} is mocked")


def _outdated(app, env, added, changed, removed):
    """Read the reference again when chapters use something else than before."""
    root = Path(app.srcdir)
    found = {
        source.relative_to(root).with_suffix("").as_posix(): _uses(source)
        for source in chapter.sources(root)
    }
    same = getattr(env, "bloodlib_uses", None) == found
    env.bloodlib_uses = found
    return [] if same else [name for name in env.found_docs if name.startswith(PAGES)]


def _uses(source):
    try:
        return uses(source.read_text(encoding="utf-8"))
    except SyntaxError:  # it will fail, and say where, when it is run
        return []


def _add_chapters(app, what, name, obj, options, lines):
    """Put the chapters that use it below an entry of the reference."""
    found = [page for page, names in app.env.bloodlib_uses.items() if name in names]
    if found:
        lines += ["", "Used in " + ", ".join(f":doc:`/{page}`" for page in found) + ".", ""]


def _tidy(app, what, name, obj, options, signature, returns):
    """Defaults of a dataclass as they would be written."""
    signature = re.sub(r"<class '(\w+)'>", r"\1", signature or "").replace("<factory>", "...")
    return signature, returns


def _skip(app, what, name, obj, skip, options):
    """Leave out what only says which field of a tuple it is; the tuple's docstring has it."""
    return skip or str(obj.__doc__).startswith("Alias for field number")


def _link(app, doctree, docname):
    """Link what a page names of the library, and list what a chapter takes from it.

    Not in print, which leaves the reference out.
    """
    if docname.startswith(PAGES) or app.builder.format == "latex":
        return
    for literal in list(doctree.findall(nodes.literal)):
        if not isinstance(literal.parent, nodes.reference):
            literal.replace_self(_linked(app, docname, literal.astext().split("(")[0], literal))
    named = [
        _linked(app, docname, name, nodes.literal("", ".".join(name.split(".")[2:])))
        for name in app.env.bloodlib_uses.get(docname, [])
        if name in app.env.domains["py"].objects
    ]
    if named:
        line = nodes.paragraph("", "From the library: ", classes=["uses"])
        for place, one in enumerate(named):
            line += [nodes.Text(", " if place else ""), one]
        line += nodes.Text(".")
        doctree[-1 if isinstance(doctree[-1], nodes.section) else 0] += line


def _linked(app, docname, name, node):
    """The node in a link to the one entry that a name, without its room or with it, is of."""
    known = app.env.domains["py"].objects
    found = [full for full in known if f".{full}".endswith(f".{name}")] if "." in name else []
    if len(found) != 1:
        return node
    entry = known[found[0]]
    return make_refnode(app.builder, docname, entry.docname, entry.node_id, node.deepcopy(), name)

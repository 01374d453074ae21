"""What a page may load and run: a content security policy on every page of the book.

A page runs the scripts that come with the book and those written in it when it was built, and no
other; it asks no other host, and a form goes nowhere but to the book's own search. A policy is
written into the page, so that it holds wherever the book is served from, and from disk.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path

from bloodlib.data import paths

#: By what is loaded. A page opened from disk has no origin in some browsers, hence ``file:``.
RULES = {
    "default-src": "'none'",
    "style-src": "'self' file: 'unsafe-inline'",  # MathJax and figures bring their own
    "img-src": "'self' file: data: blob:",
    "font-src": "'self' file: data:",
    "connect-src": "'none'",
    "form-action": "'self' file:",
    "base-uri": "'none'",
}
#: Types of a script that a browser runs; others are data.
RUN = ("", "module", "text/javascript", "application/javascript")
_META = '<meta http-equiv="Content-Security-Policy" content="{}">'
_OLD = re.compile('<meta http-equiv="Content-Security-Policy" [^>]*>')


def write(page: Path) -> None:
    """Write the policy of a page into its head, in the place of one that is there."""
    text = page.read_text(encoding="utf-8")
    plain = _OLD.sub("", text)
    head, tag, rest = plain.partition("<head>")
    if not tag:
        raise ValueError(f"{page} has no head for a content security policy")
    new = head + tag + _META.format(policy(plain)) + rest
    if new != text:
        paths.write_atomically(page, new.encode())


def policy(text: str) -> str:
    """The policy of a page: :data:`RULES`, and the hashes of the scripts that are written in it."""
    found = _Scripts()
    found.feed(text)
    found.close()
    sources = ["'self'", "file:", *_hashes(found.scripts)]
    if found.handlers:
        sources += ["'unsafe-hashes'", *_hashes(found.handlers)]
    rules = RULES | {"script-src": " ".join(sources)}
    return "; ".join(f"{what} {where}" for what, where in rules.items())


def _hashes(scripts: Iterable[str]) -> list[str]:
    digests = {hashlib.sha256(script.encode()).digest() for script in scripts}
    return sorted(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)


class _Scripts(HTMLParser):
    """The scripts that are written in a page, between tags or as what a button does."""

    def __init__(self):
        super().__init__(convert_charrefs=False)
        self.scripts, self.handlers, self._inside = [], [], False

    def handle_starttag(self, tag, attributes):
        """Note what a tag does, and whether a script begins."""
        given = dict(attributes)
        self.handlers += [value for name, value in attributes if name.startswith("on") and value]
        self._inside = tag == "script" and "src" not in given and given.get("type", "") in RUN
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag):
        """Note that a script ends."""
        self._inside = False

    def handle_data(self, data):
        """Add to the script."""
        if self._inside:
            self.scripts[-1] += data

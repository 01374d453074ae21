"""A repository's archive of the made-up dataset, and a server that answers well or badly."""

import http.server
import io
import zipfile

from made_up import published

from bloodlib.data import images, paths

TOP = f"wbc-classification-{images.SOURCE.commit}"


def archive(files=None, extra=()):
    """A repository's archive as GitHub makes it; ``extra`` are pairs of name and content."""
    file = io.BytesIO()
    files = {"README.md": b"hello", **(published() if files is None else files)}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for name, content in [*((f"{TOP}/{path}", c) for path, c in files.items()), *extra]:
            packed.writestr(name, content)
    return file.getvalue()


def send(handler, content, length=None, status=200):
    """Answer with a content, said to have another length perhaps."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content) if length is None else length))
    handler.end_headers()
    handler.wfile.write(content)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in the way that the last part of the address names; with the archive by default.

    A way is a function of the handler and the archive, in ``server.ways``.
    """

    def do_GET(self):
        way = self.path.rpartition("/")[2]
        self.server.asked.append(way)
        self.server.ways.get(way, send)(self, self.server.content)

    def do_HEAD(self):
        self.send_response(302)
        self.end_headers()

    def log_message(self, *_):
        pass


def left_behind(place):
    """Everything in the folder of the datasets and the cache but locks and marks."""
    found = [*place.rglob("*"), *paths.cache_folder().rglob("*")]
    return [
        p.name for p in found if p.is_file() and ".lock" not in p.name and "verified" not in p.parts
    ]

"""A repository's archive of the made-up dataset, and a server that answers well or badly."""

import http.server
import io
import tarfile

from made_up import published

from bloodlib.data import images, paths

TOP = f"wbc-classification-{images.SOURCE.commit}"


def archive(files=None, extra=()):
    """A repository's archive as GitHub makes it; ``extra`` are (TarInfo, content) pairs."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as tar:
        tar.addfile(folder_info := tarfile.TarInfo(TOP))
        folder_info.type = tarfile.DIRTYPE
        for path, content in {"README.md": b"hello", **(files or published())}.items():
            info = tarfile.TarInfo(f"{TOP}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info, content in extra:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def member(name, kind=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


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

    def log_message(self, *_):
        pass


def left_behind(place):
    """Everything in the folder of the datasets and the cache but locks and marks."""
    found = [*place.rglob("*"), *paths.cache_folder().rglob("*")] if place.exists() else []
    return [
        p.name for p in found if p.is_file() and ".lock" not in p.name and "verified" not in p.parts
    ]

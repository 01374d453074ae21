"""Fetch the images: download the repository's archive, keep what was published, verify it."""

import contextlib
import gzip
import os
import shutil
import socket
import sys
import threading
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bloodlib.data import images, paths

#: An archive may unpack to so many times the bytes of the dataset.
LARGEST = 4


def fetch(url: str | None = None, timeout: float = 4) -> Path:
    """Download the images into the folder of the datasets, unless they are there.

    Parameters
    ----------
    url : str, optional
        Address of the repository's archive at the commit of ``SOURCE``; by default GitHub's.
    timeout : float
        Seconds after which a server that can't be reached is given up; one that has answered
        may pause eight times as long.

    Returns
    -------
    pathlib.Path
        Folder of the images, verified.

    Raises
    ------
    images.DatasetError
        If the server can't be reached, if what it sends is not the dataset, or if there is a
        folder already that is not the dataset. Nothing but the dataset is ever left behind.
    """
    from filelock import FileLock

    url = url or images.SOURCE.archive
    target = paths.data_folder() / images.FOLDER
    if not target.exists():
        _probe(url, timeout)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f".{images.FOLDER}.lock")):
                if not target.exists():  # another process may have been quicker
                    _install(url, timeout, target)
        except OSError as error:
            raise images.DatasetError(
                f"the images cannot be stored: {error}. "
                "Set BLOODLIB_DATA and BLOODLIB_CACHE to folders that can be written."
            ) from error
    images.verify(target)
    return target


def _install(url: str, timeout: float, target: Path) -> None:
    """Download, extract and verify beside the target, then move there in one step."""
    archive = _download(url, timeout)
    part = target.with_name(f".{images.FOLDER}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    try:
        _extract(archive, part)
        images.verify(part, thorough=True)
        os.replace(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
        archive.unlink(missing_ok=True)


def _probe(url: str, timeout: float) -> None:
    """Give up in time where there is no network: a look-up of a name may hang for minutes."""
    import requests

    proxy = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url))
    address = urlsplit(proxy or url)
    reached = threading.Event()

    def connect():
        port = address.port or {"http": 80}.get(address.scheme, 443)
        with contextlib.suppress(OSError):
            socket.create_connection((address.hostname, port), timeout).close()
            reached.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    if not reached.is_set():
        raise images.DatasetError(
            f"{address.hostname} cannot be reached. Connect to the network and run "
            "'bloodlib data --fetch', or set BLOODLIB_DATA to a folder that has the images."
        )


def _download(url: str, timeout: float) -> Path:
    import pooch
    import requests
    from filelock import FileLock

    name = f"{images.FOLDER}-{images.SOURCE.commit}.tar.gz"
    folder = paths.cache_folder() / "downloads"
    shelf = pooch.create(
        path=folder,
        base_url="",
        registry={name: None},  # the archive's hash may change with GitHub's compressor
        urls={name: url},
        retry_if_failed=1,
    )
    get = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=(timeout, 8 * timeout))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):  # another process may fetch to another place
            for left in folder.glob("tmp*"):  # by a run that was killed
                left.unlink()
            return Path(shelf.fetch(name, downloader=get))
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        problem = f"answered {status}" if status else f"broke off ({type(error).__name__})"
        raise images.DatasetError(
            f"the download from {url} {problem}. Run 'bloodlib data --fetch' again later."
        ) from error


def _extract(archive: Path, folder: Path) -> None:
    """Extract the published files of an archive, and nothing else, into a folder."""
    import tarfile
    import zlib

    most = LARGEST * sum(entry.size for entry in images.manifest().values())
    with archive.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            raise images.DatasetError(
                "the server sent something else than an archive, perhaps a page to sign in. "
                "Look at the network, then run 'bloodlib data --fetch' again."
            )
    folder.mkdir()
    try:
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=_Limited(unpacked, most), mode="r|") as tar,
        ):
            for member in tar:
                if wanted := _wanted(member, folder):
                    tar.extract(wanted, folder, filter="data")
    except tarfile.FilterError as error:
        raise images.DatasetError(f"the archive is not to be trusted: {error}.") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise images.DatasetError(
            f"the archive is cut short or damaged ({error}). Run 'bloodlib data --fetch' again."
        ) from error


class _Limited:
    """A file that gives so many bytes and no more: a few can unpack to any number."""

    def __init__(self, file, most: int):
        self.file, self.left = file, most

    def read(self, size: int) -> bytes:
        """Read on, or refuse."""
        content = self.file.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise images.DatasetError(
                f"the archive unpacks to more than {LARGEST} times the dataset: it is not the "
                "published one."
            )
        return content


def _wanted(member, folder: Path):
    """Judge a member of the archive: None, or the member with its path in the dataset.

    Git stores no devices, absolute paths or ``..``: such an archive is refused whole. So is a
    link among the images; elsewhere in the repository it's passed over like all other files.
    """
    import tarfile

    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name:
        raise tarfile.OutsideDestinationError(member, member.name)
    if not (member.isreg() or member.isdir() or member.issym() or member.islnk()):
        raise tarfile.SpecialFileError(member)
    inside = "/".join(path.parts[1:])  # the archive has one folder at its top
    if member.issym() or member.islnk():
        if inside.partition("/")[0] in images.SOURCE.hashes:
            raise tarfile.LinkOutsideDestinationError(member, member.linkname)
        return None
    expected = images.manifest().get(inside)
    if not member.isreg() or expected is None:
        return None
    if member.size != expected.size or (folder / inside).exists():
        raise images.DatasetError(
            f"the archive's {inside} has {member.size:,} bytes instead of {expected.size:,}, or "
            "is in it twice: it is not the published dataset."
        )
    return member.replace(name=inside, deep=False)

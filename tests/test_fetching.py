"""Fetching: the whole dataset or nothing, whatever the repository and the network do."""

import random
import shutil
import subprocess

import pytest
from chance import SCALE, at_once, count_calls, kill_at_random
from made_up import VICTIM, posix, publish, published, write

from bloodlib.data import images, stored

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def git(folder, *words):
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    run = ["git", "-C", folder, *who, *words]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(place, tmp_path, monkeypatch):
    """A repository whose first commit has the made-up dataset; its second has another image."""
    folder = tmp_path / "repository"
    write(folder, published() | {"README.md": b"hello"})
    git(folder, "init", "--quiet")
    for content in (published()[VICTIM], b"another picture"):
        write(folder, {VICTIM: content})
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "-m", "images")
    publish(monkeypatch, published(), folder.as_uri(), git(folder, "rev-parse", "HEAD~"))
    return folder


def left_behind(place):
    """What lies beside the dataset."""
    return [p.name for p in place.glob("*") if p.name != images.FOLDER and p.suffix != ".lock"]


def test_fetch(repository, place):
    folder = images.fetch()
    assert folder == place / images.FOLDER == images.find()
    assert {path: (folder / path).read_bytes() for path in published()} == published()
    assert images.verify(thorough=True) == images.SOURCE.hashes
    assert not left_behind(place)
    shutil.rmtree(repository)
    assert images.fetch() == folder  # nobody is asked


@pytest.mark.parametrize("harm", ["another picture", "no photographs"])
def test_fetch_never_touches_a_folder_that_is_something_else(repository, folder, harm):
    if harm == "another picture":
        (folder / VICTIM).write_bytes(b"another picture")
    else:
        (folder / "Original_Images").rename(folder / "elsewhere")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    named = VICTIM if harm == "another picture" else "no Original_Images"
    with pytest.raises(images.DatasetError, match=f"{named}.* move the folder away|Move the fol"):
        images.fetch()
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_what_kaggle_s_copy_lacks_is_fetched(repository, place, folder):
    kaggle = place / "dataset2-master" / "images"
    kaggle.parent.mkdir()
    (folder / "images").rename(kaggle)
    folder.rename(place / "elsewhere")
    assert images.find() == kaggle.parent
    assert images.fetch() == folder == images.find()
    assert images.verify() == images.SOURCE.hashes


def damage(repository):
    for path in repository.glob(".git/objects/*/*"):
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-9])


FAULTS = {
    "no repository": lambda repository: shutil.rmtree(repository),
    "no such commit": lambda repository: shutil.rmtree(repository / ".git" / "objects"),
    "damaged objects": damage,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fetch_that_fails_leaves_nothing_and_the_next_succeeds(repository, place, fault):
    shutil.copytree(repository, repository.with_name("whole"))
    FAULTS[fault](repository)
    with pytest.raises(images.DatasetError, match=r"cannot be fetched.*--fetch' again"):
        images.fetch()
    assert not images.available()
    assert not left_behind(place)
    shutil.rmtree(repository, ignore_errors=True)
    repository.with_name("whole").rename(repository)
    images.fetch()


def test_without_a_network_or_git_it_is_said_what_to_do(place, monkeypatch):
    publish(monkeypatch, published(), "http://127.0.0.1:9/wbc")
    with pytest.raises(images.DatasetError, match=r"127\.0\.0\.1.*cannot be fetched.*BLOOD"):
        images.fetch()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(images.DatasetError, match=r"git is needed.*archive/.*\.zip"):
        images.fetch()


@posix
def test_a_folder_that_can_t_be_made(repository, place):
    place.write_text("a file where the folder should be")
    with pytest.raises(images.DatasetError, match=r"cannot be stored.*BLOODLIB_DATA"):
        images.fetch()
    place.unlink()
    write(place / f".{images.FOLDER}.part", {"images/TRAIN/MONOCYTE/half": b"x"})  # was killed
    images.fetch()
    assert not left_behind(place)


def fetch_made_up(url, commit):
    """What a process of its own does, which knows nothing of the made-up dataset."""
    publish(pytest.MonkeyPatch(), published(), url, commit)
    return lambda: images.fetch().is_dir()


@posix
def test_four_processes_at_once(repository, place):
    assert at_once(fetch_made_up, images.SOURCE.repository, images.SOURCE.commit) == [0] * 4
    assert not left_behind(place)


@posix
@pytest.mark.long
def test_killed_at_any_moment(repository, place, record_property):
    """Whatever is there after a kill is whole, and the next fetch heals the rest."""
    rng, times, killed = random.Random(3), 15 * SCALE, 0
    asked = fetch_made_up, images.SOURCE.repository, images.SOURCE.commit
    calls = count_calls(*asked)
    for _ in range(times):
        shutil.rmtree(place / images.FOLDER, ignore_errors=True)
        shutil.rmtree(stored.cache_folder(), ignore_errors=True)
        killed += kill_at_random(*asked, rng=rng, calls=calls)
        if images.available():
            assert images.verify(thorough=True) == images.SOURCE.hashes
    images.fetch()
    assert not left_behind(place)
    assert killed > times / 2
    record_property("times", times)

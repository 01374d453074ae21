"""Processes that are killed, race or share a disk that is full; none is waited for without an end.

A child is never forked from this process, which has threads that may hold a lock: it comes from a
server of ``multiprocessing`` that was started afresh, and has no state of the test but what it is
given and the environment. It calls a function of a module, which makes all ready and returns what
is to be done then: at the same moment as in other children, or until it is killed.
"""

import contextlib
import multiprocessing
import os
import random
import signal
import sys

SCALE = int(os.environ.get("BLOODLIB_SCALE", "1"))  # how many times as often chance is tried
PATIENCE = 300  # seconds until a child counts as one that never ends
CONTEXT = multiprocessing.get_context("forkserver" if os.name == "posix" else "spawn")
if os.name == "posix":  # imported once, for all children
    slow = ("bloodlib.book.chapter", "bloodlib.data.images", "bloodlib.models.training")
    CONTEXT.set_forkserver_preload([*slow, "hypothesis", "jsonschema", "matplotlib.pyplot"])
#: Modules whose calls read and write files, and what comes over a network.
OUTSIDE = ("_io", "_socket", "nt", "posix")


@contextlib.contextmanager
def full_disk(most):
    """No file can grow beyond so many bytes, as on a disk that is nearly full."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _child(environment, begin, last, calls, function, given):
    os.environ.clear()
    os.environ.update(environment)
    made = 0

    def count(frame, event, argument):
        nonlocal made
        if event != "c_call":
            return
        owner = getattr(argument, "__self__", None)  # a module, or a file
        made += getattr(owner, "__name__", type(owner).__module__) in OUTSIDE
        if made == last:
            os.kill(os.getpid(), signal.SIGKILL)

    work = function(*given)
    if begin:
        begin.wait(PATIENCE)
    if last or calls:
        sys.setprofile(count)
    done = work()
    sys.setprofile(None)
    if calls:
        calls.value = made
    sys.exit(done is False)


def start(function, *given, begin=None, last=None, calls=None):
    """A process that does what a function returns; it ends before its call ``last``, if any."""
    process = CONTEXT.Process(
        target=_child, args=(dict(os.environ), begin, last, calls, function, given)
    )
    process.start()
    return process


def end(process) -> int:
    """Wait for a process: 0 if it did its work, 1 if that was False or failed, -9 if killed."""
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        raise AssertionError(f"{process.name} had not ended after {PATIENCE} seconds")
    return process.exitcode


def at_once(function, *given, n=4) -> list[int]:
    """How several processes end that do the same at the same moment."""
    begin = CONTEXT.Barrier(n)
    return [end(one) for one in [start(function, *given, begin=begin) for _ in range(n)]]


def count_calls(function, *given) -> int:
    """How many times the work calls what reads and writes."""
    calls = CONTEXT.Value("q", 0)
    assert end(start(function, *given, calls=calls)) == 0, "it failed by itself"
    return calls.value


def kill_at_random(function, *given, rng: random.Random, calls: int) -> bool:
    """Whether a process is killed before its work is done: at a random read or write."""
    ended = end(start(function, *given, last=rng.randint(1, calls)))
    assert ended in (-signal.SIGKILL, 0), "it failed by itself"
    return ended != 0

"""How often chance is tried: ``BLOODLIB_SCALE`` times as often as in the ordinary tests."""

import contextlib
import os
import random
import signal

SCALE = int(os.environ.get("BLOODLIB_SCALE", "1"))


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


def kill_at_random(work, rng: random.Random, longest: float) -> bool:
    """Do some work in a process of its own, which the system ends at a random moment.

    The moment is one of the processor's time that the process takes, so that a busy machine does
    not move it; as with SIGKILL, nothing in the process is told.

    Returns
    -------
    bool
        Whether the end came before the work was done.
    """
    seconds = rng.uniform(0.0005, longest)
    child = os.fork()
    if not child:
        code = 1
        try:
            signal.signal(signal.SIGPROF, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work failed by itself"
    return os.WIFSIGNALED(status)

"""Work on many clips side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from joblib import Parallel, delayed
from joblib.parallel import get_active_backend

__all__ = ["run_parallel"]


def run_parallel(
    function: Callable[[int, Any], Any], items: Sequence[Any], keep: Callable[[int, Any], bool], n_jobs: int | None
) -> None:
    """Call a function with the position of each item and the item, and hand on what it gives.

    Threads take one item after the other until none is left; each of them runs from the first to the last item without
    waiting for anybody, which joblib's threads do not. If the user has chosen another of joblib's backends, such as
    that of a Dask cluster, joblib spreads the work.

    Parameters
    ----------
    function : callable
        ``function(position, item)``, for any thread or process.
    items : sequence
        What there is to do.
    keep : callable
        ``keep(position, result)``, in this process but any of its threads. Says whether to go on: if not, no further
        item is begun.
    n_jobs : int or None
        As in joblib, but inside a worker of joblib's a negative number is 1: the machine's cores have been shared out.
    """
    backend, n_configured = get_active_backend(prefer="threads")
    if n_jobs is None:
        n_jobs = n_configured or 1
    if n_jobs < 0 and backend.nesting_level:
        n_jobs = 1
    if not getattr(backend, "supports_sharedmem", False):
        ready = "generator" if getattr(backend, "supports_return_generator", False) else "list"
        _by_joblib(function, items, keep, Parallel(n_jobs=n_jobs, return_as=ready))
        return
    pending = deque(enumerate(items))

    def work() -> None:
        try:
            while True:
                try:
                    position, item = pending.popleft()
                except IndexError:
                    return
                if not keep(position, function(position, item)):
                    pending.clear()
        except BaseException:
            pending.clear()
            raise

    n_others = min(backend.effective_n_jobs(n_jobs), len(items)) - 1
    if n_others < 1:
        work()
        return
    with ThreadPoolExecutor(n_others) as pool:
        others = [pool.submit(work) for _ in range(n_others)]
        work()
    for other in others:
        other.result()


def _by_joblib(
    function: Callable[[int, Any], Any], items: Sequence[Any], keep: Callable[[int, Any], bool], parallel: Any
) -> None:
    go_on = True

    def tasks() -> Iterator[Any]:
        for position, item in enumerate(items):
            if not go_on:
                return
            yield delayed(function)(position, item)

    for position, result in enumerate(parallel(tasks())):
        go_on = keep(position, result) and go_on

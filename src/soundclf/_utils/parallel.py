"""Parallel loops over clips."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
from joblib import Parallel, delayed

__all__ = ["run_parallel"]


def run_parallel(
    function: Callable[[int, Any], Any], items: Sequence[Any], collect: Callable[[int, Any], bool], n_jobs: int | None
) -> None:
    """Call a function for every item, in threads, and collect the results.

    Threads take items from a queue until it is empty, without waiting for each other as joblib's threads do. If the
    user has chosen another of joblib's backends, such as that of a Dask cluster, joblib distributes the work.

    Parameters
    ----------
    function : callable
        ``function(position, item)``, for any thread or process.
    items : sequence
        The items.
    collect : callable
        ``collect(position, result)``, called in this process but in any of its threads. Returns whether to continue; if
        not, no further item is started.
    n_jobs : int or None
        As in joblib, except that inside a worker of joblib a negative number means 1: the cores are in use already.
    """
    backend, n_configured = _get_backend()
    if n_jobs is None:
        n_jobs = n_configured or 1
    if n_jobs < 0 and getattr(backend, "nesting_level", None):
        n_jobs = 1
    if not getattr(backend, "supports_sharedmem", True):
        ready = "generator" if getattr(backend, "supports_return_generator", False) else "list"
        _run_with_joblib(function, items, collect, Parallel(n_jobs=n_jobs, return_as=ready))
        return
    pending = deque(enumerate(items))

    def work() -> None:
        try:
            while True:
                try:
                    position, item = pending.popleft()
                except IndexError:
                    return
                if not collect(position, function(position, item)):
                    pending.clear()
        except BaseException:
            pending.clear()
            raise

    n_others = min(_count_threads(backend, n_jobs), len(items)) - 1
    if n_others < 1:
        work()
        return
    with ThreadPoolExecutor(n_others) as pool:
        others = [pool.submit(work) for _ in range(n_others)]
        work()
    for other in others:
        other.result()


def _get_backend() -> tuple[Any, int | None]:
    """Return joblib's active backend and number of jobs; None twice if joblib no longer says, which means threads."""
    try:
        backend, n_jobs = joblib.parallel.get_active_backend(prefer="threads")
    except (AttributeError, TypeError, ValueError):
        return None, None
    return backend, n_jobs


def _count_threads(backend: Any, n_jobs: int) -> int:
    if hasattr(backend, "effective_n_jobs"):
        return int(backend.effective_n_jobs(n_jobs))
    return n_jobs if n_jobs > 0 else max(1, joblib.cpu_count() + 1 + n_jobs)


def _run_with_joblib(
    function: Callable[[int, Any], Any], items: Sequence[Any], collect: Callable[[int, Any], bool], parallel: Any
) -> None:
    running = True

    def tasks() -> Iterator[Any]:
        for position, item in enumerate(items):
            if not running:
                return
            yield delayed(function)(position, item)

    for position, result in enumerate(parallel(tasks())):
        running = collect(position, result) and running

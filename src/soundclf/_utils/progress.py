"""Progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["show_progress"]


@contextmanager
def show_progress(description: str, total: float | None, unit: str, *, enabled: Any) -> Iterator[Callable[..., Any]]:
    """Show a tqdm progress bar on standard error.

    Parameters
    ----------
    description : str
        Text in front of the bar.
    total : float or None
        Number of units, if it is known.
    unit : str
        Name of a unit, such as "clip".
    enabled : object
        If false, nothing is shown and tqdm is not imported.

    Yields
    ------
    callable
        ``update(n=1)`` advances the bar by ``n`` units.
    """
    if not enabled:
        yield lambda n=1: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=description, unit=unit) as bar:
        yield bar.update

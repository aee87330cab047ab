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
        ``update(n=1, **figures)`` advances the bar by ``n`` units and shows the figures, numbers by name, behind it.
    """
    if not enabled:
        yield lambda n=1, **figures: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=description, unit=unit) as bar:

        def update(n: float = 1, **figures: float) -> None:
            if figures:
                bar.set_postfix({name: f"{value:.3f}" for name, value in figures.items()}, refresh=False)
            bar.update(n)

        yield update

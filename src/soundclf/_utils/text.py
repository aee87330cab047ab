"""Lists, counts and tables in messages and reports."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = ["escape_controls", "format_count", "format_csv_row", "format_list", "format_table"]

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def escape_controls(text: Any) -> str:
    """Escape control characters and line breaks, so that a terminal shows a name and does not interpret it."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Align columns, a line for each row: the first to the left, the others to the right."""
    rows = [[escape_controls(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def format_list(items: Any, most: int | None = 10, show: Callable[[Any], str] = repr, separator: str = ", ") -> str:
    """Join the first ``most`` items, followed by "and N more" if there are more."""
    shown = [show(item.item() if hasattr(item, "item") else item) for item in items[:most]]
    n_more = len(items) - len(shown)
    return separator.join(shown) + (f" and {n_more:,} more" if n_more else "")


def format_count(number: int, noun: str) -> str:
    """Join a number and a noun in its singular or plural."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def format_csv_row(cells: Iterable[Any]) -> str:
    """Join cells as a row of CSV without its line end; cells with line breaks of any kind are quoted."""
    row = io.StringIO()
    csv.writer(row, lineterminator="\r\n").writerow(cells)
    return row.getvalue().removesuffix("\r\n")

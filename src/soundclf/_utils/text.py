"""Lists, counts and tables in messages and reports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["escape_controls", "format_count", "format_list", "format_some", "format_table"]

_LISTED = 10  # values that a list in prose names
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def escape_controls(text: Any) -> str:
    """Give a name in one line that a terminal shows and does not obey."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))


def format_some(values: Sequence[Any]) -> str:
    """Name the first of some values."""
    return ", ".join(map(escape_controls, values[:_LISTED])) + (" and others" if len(values) > _LISTED else "")


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


def format_list(items: Any, most: int = 10, show: Callable[[Any], str] = repr) -> str:
    """Name the first few of many things."""
    shown = ", ".join(show(item.item() if hasattr(item, "item") else item) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"


def format_count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"

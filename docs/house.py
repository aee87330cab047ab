"""The house: the package's modules on their floors, drawn from the table that tests/test_imports.py holds them to."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

TABLE = Path(__file__).resolve().parents[1] / "tests" / "test_imports.py"

_WIDTH, _LEFT, _RIGHT = 900, 70, 780  # of the drawing; where the rooms begin and end
_ROOM, _GAP, _LETTER = 30, 8, 7.4  # height of a room, what is between two, width of a letter
_STYLE = """
text { font: 13px sans-serif; fill: #1d2730; }
.public { fill: #cfe3f1; stroke: #0072b2; }
.private { fill: #f4f4f4; stroke: #9aa5ad; }
.name { font-family: monospace; text-anchor: middle; }
.floor { stroke: #9aa5ad; }
.roof { fill: #f6dcae; stroke: #e69f00; }
"""


def floors() -> dict[str, int]:
    """Read the floor of every module."""
    tree = ast.parse(TABLE.read_text(encoding="utf-8"))
    tables = [node.value for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "FLOORS"]
    return ast.literal_eval(tables[0])


def _lines(names: Iterable[str]) -> list[list[tuple[str, float, float]]]:
    """Put the rooms of a floor into as many lines as they need: names, where they begin, widths."""
    lines: list[list[tuple[str, float, float]]] = [[]]
    at = float(_LEFT)
    for name in sorted(names, key=lambda name: (name.startswith("_"), name)):
        width = _LETTER * len(name) + 22
        if at + width > _RIGHT:
            lines.append([])
            at = float(_LEFT)
        lines[-1].append((name, at, width))
        at += width + _GAP
    return lines


def draw(path: Path) -> None:
    """Write the drawing as SVG, unless it is there already and the same."""
    table = floors()
    parts = []
    y = 70.0
    for floor in sorted(set(table.values()), reverse=True):
        for line in _lines(name for name in table if table[name] == floor):
            for name, x, width in line:
                kind = "private" if name.startswith("_") else "public"
                parts.append(f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{_ROOM}" rx="3"/>')
                parts.append(f'<text class="name" x="{x + width / 2:g}" y="{y + 20:g}">{name}</text>')
            y += _ROOM + _GAP
        parts.append(f'<line class="floor" x1="{_LEFT - 20}" y1="{y:g}" x2="{_RIGHT + 20}" y2="{y:g}"/>')
        y += _GAP
    peak, eaves = (_LEFT + _RIGHT) / 2, f"{_LEFT - 35},62 {_RIGHT + 35},62"
    parts.append(f'<polygon class="roof" points="{eaves} {peak:g},8"/>')
    parts.append(f'<text x="{peak:g}" y="48" text-anchor="middle">what users type</text>')
    parts.append(f'<line x1="{_RIGHT + 50}" y1="80" x2="{_RIGHT + 50}" y2="{y - 26:g}" stroke="#1d2730"/>')
    tip = f"{_RIGHT + 44},{y - 30:g} {_RIGHT + 56},{y - 30:g} {_RIGHT + 50},{y - 16:g}"
    parts.append(f'<polygon points="{tip}" fill="#1d2730"/>')
    parts.append(f'<text x="{_RIGHT + 60}" y="{y / 2:g}">imports</text>')
    drawing = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y:g}">',
            f'<style>{_STYLE}</style><rect width="{_WIDTH}" height="{y:g}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != drawing:
        path.write_text(drawing, encoding="utf-8")

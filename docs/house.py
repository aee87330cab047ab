"""Draw the rooms of the package and their imports, from the table in tests/test_imports.py."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parents[1] / "tests" / "test_imports.py"

_LEFT, _TOP, _STEP = 20, 20, 46  # margins; distance between rows and between columns, in pixels
_BOX_WIDTH, _BOX_HEIGHT = 124, 30
_STYLE = """
text { font: 14px monospace; fill: #1d2730; text-anchor: middle; }
.public { fill: #cfe3f1; stroke: #0072b2; }
.private { fill: #f4f4f4; stroke: #9aa5ad; }
.guide { stroke: #e3e7ea; }
.import { fill: #0072b2; }
.key { font: 13px sans-serif; text-anchor: start; }
"""


def load_table() -> tuple[tuple[str, ...], set[tuple[str, str]]]:
    """Load the rooms, from the bottom to the top, and the pairs (room, imported room).

    Only the constants and the functions `find_*` of the test module are executed, so that building the documentation
    does not need pytest.
    """
    tree = ast.parse(TABLE.read_text(encoding="utf-8"))
    tree.body = [
        node
        for node in tree.body
        if isinstance(node, ast.Assign)
        or (isinstance(node, ast.FunctionDef) and node.name.startswith("find_"))
        or (isinstance(node, ast.Import | ast.ImportFrom) and "pytest" not in ast.unparse(node))
    ]
    names: dict[str, Any] = {"__name__": TABLE.stem, "__file__": str(TABLE)}
    exec(compile(tree, str(TABLE), "exec"), names)  # noqa: S102 - the project's own test module
    return names["ROOMS"], set(names["find_arrows"]())


def draw(path: Path) -> None:
    """Write the drawing as SVG, unless the file exists with the same content.

    Rooms are boxes on a diagonal, the highest at the top right. A dot to the left of a room, above another, means that
    the first imports the second. An import that ran back up would be to the right of its room.
    """
    rooms, imports = load_table()
    n_rooms = len(rooms)
    width = _LEFT + (n_rooms - 1) * _STEP + _BOX_WIDTH + 20
    height = _TOP + n_rooms * _STEP
    # Centers of the columns of dots, left of the middle of a box so that boxes overlap only the columns to their right.
    column = {room: _LEFT + 23 + i * _STEP for i, room in enumerate(rooms)}
    row = {room: _TOP + (n_rooms - 1 - i) * _STEP + _BOX_HEIGHT / 2 for i, room in enumerate(rooms)}
    guides, dots, boxes = [], [], []
    for room in rooms:
        imported = [other for other in rooms if (room, other) in imports]
        importing = [other for other in rooms if (other, room) in imports]
        x, y = column[room], row[room]
        if imported:
            start = min(column[other] for other in imported)
            guides.append(f'<line class="guide" x1="{start}" x2="{x}" y1="{y:g}" y2="{y:g}"/>')
        if importing:
            end = min(row[other] for other in importing)
            guides.append(f'<line class="guide" x1="{x}" x2="{x}" y1="{y:g}" y2="{end:g}"/>')
        for other in imported:
            title = f"<title>{room} imports {other}</title>"
            dots.append(f'<circle class="import" cx="{column[other]}" cy="{y:g}" r="6">{title}</circle>')
        kind = "private" if room.startswith("_") and room != "__init__" else "public"
        box = f'x="{x - 23}" y="{y - _BOX_HEIGHT / 2:g}" width="{_BOX_WIDTH}" height="{_BOX_HEIGHT}" rx="3"'
        boxes.append(f'<rect class="{kind}" {box}/>')
        boxes.append(f'<text x="{x - 23 + _BOX_WIDTH / 2:g}" y="{y + 5:g}">{room}</text>')
    key = [
        f'<circle class="import" cx="{_LEFT + 8}" cy="{_TOP + 15}" r="6"/>',
        f'<text class="key" x="{_LEFT + 22}" y="{_TOP + 20}">The room on the right imports the room below.</text>',
    ]
    # The row of the top room fills the width, so the key is above it.
    key_height = 40
    drawing = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + key_height}">',
            f'<style>{_STYLE}</style><rect width="{width}" height="{height + key_height}" fill="#ffffff"/>',
            *key,
            f'<g transform="translate(0 {key_height})">',
            *guides,
            *dots,
            *boxes,
            "</g>",
            "</svg>\n",
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != drawing:
        path.write_text(drawing, encoding="utf-8")

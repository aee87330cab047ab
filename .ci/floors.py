"""Print the declared minimum versions of the package and its tests as constraints for pip."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
TESTED = [*PROJECT["dependencies"], *(line for name in EXTRAS if name not in ("docs", "dev") for line in EXTRAS[name])]

for requirement in sorted(set(TESTED)):
    if match := re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement):
        print(f"{match[1]}=={match[2]}")

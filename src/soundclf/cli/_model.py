"""Model files: loading them, and ``soundclf describe``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.text import escape_controls
from ._files import format_json
from ._process import print_data

__all__ = ["Trust", "describe", "load_model"]

Trust = Annotated[
    bool, typer.Option("--trust", help="Load a .joblib or pickle file, which can run any code that its author wanted.")
]

_LISTED = 20  # classes that a description names


def load_model(path: str, *, trust: bool) -> Any:
    """Load a model: a .skops file by the safe way, any other only if the user trusts it."""
    from ..persistence import load

    file = Path(path)
    if file.suffix.lower() == ".skops" or not file.is_file():
        return load(path)
    from ..datasets import AUDIO_EXTENSIONS

    if file.suffix.lower() in AUDIO_EXTENSIONS:
        raise ValueError(f"{path!r} is a sound; the model comes first: soundclf predict MODEL FILE")
    if not trust:
        raise ValueError(
            f"{path!r} is no .skops file: loading it could run any code that its author wanted; add --trust if you "
            "know where it comes from"
        )
    import joblib

    try:
        return joblib.load(file)
    except Exception as error:  # a pickle can raise whatever it likes
        raise ValueError(f"The model {path!r} cannot be loaded: {error} ({type(error).__name__})") from error


def describe(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .skops file, or a .joblib file with its .json.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as one JSON document.")] = False,
) -> None:
    """Tell what a model file says, without loading the model.

    Examples
    --------
    soundclf describe sounds.skops
    soundclf describe sounds.skops --json | jq .report.evaluation.accuracy
    """
    told = _told(model)
    if as_json:
        print_data(format_json(told, indent=1))
        return
    try:
        lines = [f"{name:<11}{escape_controls(text)}" for name, text in _lines(told)]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{model!r} says of its model what soundclf does not write; --json shows it all") from error
    print_data("\n".join(lines))


def _told(model: str) -> dict[str, Any]:
    from ..persistence import describe as described

    file = Path(model)
    beside = file.with_name(f"{file.name}.json")
    if file.suffix.lower() == ".skops" or not file.is_file():
        return described(model)
    if not beside.is_file():
        raise ValueError(
            f"{model!r} is no .skops file, so that nothing is known of it unless it is loaded, and {str(beside)!r}, "
            "which soundclf train writes, is not there"
        )
    try:
        told = json.loads(beside.read_text("utf-8"))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise ValueError(f"{str(beside)!r} does not describe a model")
    return told


def _lines(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give what is told in a few lines; a file from elsewhere may say anything."""
    yield "model", _tree(told.get("model"))
    yield "saved", str(told.get("saved"))
    classes = told.get("classes")
    if isinstance(classes, list):
        more = f" and {len(classes) - _LISTED:,} more" if len(classes) > _LISTED else ""
        yield "classes", f"{len(classes)}: {', '.join(map(str, classes[:_LISTED]))}{more}"
    for audio in told.get("audio") or []:
        yield "hears", ", ".join(f"{name} {value}" for name, value in audio.items() if value is not None)
    yield "versions", ", ".join(f"{name} {version}" for name, version in (told.get("versions") or {}).items())
    report = told.get("report")
    if report is not None:
        yield from _report(report)


def _tree(model: Any) -> str:
    """Give classes of estimators, with those that they hold."""
    if not isinstance(model, dict) or "class" not in model:
        return str(model)
    held = [
        _tree(part)
        for value in model.get("parameters", {}).values()
        if isinstance(value, list)
        for item in value
        if isinstance(item, list)
        for part in item
        if isinstance(part, dict) and "class" in part
    ]
    name = str(model["class"]).rpartition(".")[2]
    return f"{name}({', '.join(held)})" if held else name


def _report(report: Any) -> Iterator[tuple[str, str]]:
    try:
        trained, figures = report["trained_on"], report["evaluation"]
        clips = sum(trained["clips"].values())
        recordings = "" if trained["recordings"] is None else f" from {trained['recordings']:,} recordings"
        lines = [("trained on", f"{clips:,} clips of {len(trained['clips'])} classes{recordings}")]
        if figures is not None:
            for name in ("accuracy", "balanced_accuracy", "macro_f1"):
                low, high = figures[name]["interval"]
                text = f"{figures[name]['pooled']:.3f} ({low:.3f} to {high:.3f})"
                lines.append(("judged", f"{name.replace('_', ' ')} {text}, preset {figures['preset']}"))
            cv = figures["cv_description" if "cv_description" in figures else "splitting"]  # files of format 1
            lines.append(("", f"split by {cv}"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):  # it is not of soundclf train
        lines = [("report", format_json(report))]
    yield from lines

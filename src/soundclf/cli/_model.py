"""Model files: loading and ``soundclf describe``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.text import escape_controls, format_list
from ._files import format_json
from ._process import print_data

__all__ = ["Trust", "describe", "load_model"]

Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Load a .joblib or pickle file, which can run arbitrary code; use only for files from a trusted source.",
    ),
]

_MAX_LISTED = 20  # classes


def load_model(path: str, *, trust: bool) -> Any:
    """Load a model: a .skops file safely, any other file only if the user trusts it."""
    from ..persistence import load

    file = Path(path)
    if file.suffix.lower() == ".skops" or not file.is_file():
        return load(path)
    from ..datasets import AUDIO_EXTENSIONS

    if file.suffix.lower() in AUDIO_EXTENSIONS:
        raise ValueError(f"{path!r} is a sound file; the model comes first: soundclf predict MODEL FILE")
    if not trust:
        raise ValueError(
            f"{path!r} is not a .skops file, so loading it can run arbitrary code; add --trust if it comes from a "
            "trusted source"
        )
    import joblib

    try:
        return joblib.load(file)
    except Exception as error:  # a pickle can raise any exception
        raise ValueError(f"The model {path!r} cannot be loaded: {error} ({type(error).__name__})") from error


def describe(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A .skops file, or a .joblib file with its .json file.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the full description as one JSON document.")] = False,
) -> None:
    """Describe a model file without loading the model.

    Examples
    --------
    soundclf describe sounds.skops
    soundclf describe sounds.skops --json | jq .report.evaluation.accuracy
    """
    description = _read_description(model)
    if as_json:
        print_data(format_json(description, indent=1))
        return
    try:
        lines = [f"{name:<11}{escape_controls(text)}" for name, text in _format_description(description)]
    except (AttributeError, TypeError) as error:
        raise ValueError(f"The description of {model!r} was not written by soundclf; --json prints it") from error
    print_data("\n".join(lines))


def _read_description(model: str) -> dict[str, Any]:
    from ..persistence import describe as describe_model

    file = Path(model)
    beside = file.with_name(f"{file.name}.json")
    if file.suffix.lower() == ".skops" or not file.is_file():
        return describe_model(model)
    if not beside.is_file():
        raise ValueError(
            f"{model!r} is not a .skops file, and there is no description {str(beside)!r}, which soundclf train writes"
        )
    try:
        description = json.loads(beside.read_text("utf-8"))
    except (ValueError, RecursionError):
        description = None
    if not isinstance(description, dict):
        raise ValueError(f"{str(beside)!r} does not describe a model")
    return description


def _format_description(description: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the lines of a description; a file from elsewhere can contain anything."""
    yield "model", _format_estimator(description.get("model"))
    yield "saved", str(description.get("saved"))
    classes = description.get("classes")
    if isinstance(classes, list):
        yield "classes", f"{len(classes)}: {format_list(classes, _MAX_LISTED, show=str)}"
    for audio in description.get("audio") or []:
        yield "audio", ", ".join(f"{name} {value}" for name, value in audio.items() if value is not None)
    yield "versions", ", ".join(f"{name} {version}" for name, version in (description.get("versions") or {}).items())
    report = description.get("report")
    if report is not None:
        yield from _format_report(report)


def _format_estimator(model: Any) -> str:
    """Return the class name of an estimator, with its parts in parentheses."""
    if not isinstance(model, dict) or "class" not in model:
        return str(model)
    parts = [
        _format_estimator(part)
        for value in model.get("parameters", {}).values()
        if isinstance(value, list)
        for item in value
        if isinstance(item, list)
        for part in item
        if isinstance(part, dict) and "class" in part
    ]
    name = str(model["class"]).rpartition(".")[2]
    return f"{name}({', '.join(parts)})" if parts else name


def _format_report(report: Any) -> Iterator[tuple[str, str]]:
    try:
        trained, scores = report["trained_on"], report["evaluation"]
        clips = sum(trained["clips"].values())
        recordings = "" if trained["recordings"] is None else f" from {trained['recordings']:,} recordings"
        lines = [("trained on", f"{clips:,} clips of {len(trained['clips'])} classes{recordings}")]
        if scores is not None:
            for name in ("accuracy", "balanced_accuracy", "macro_f1"):
                low, high = scores[name]["interval"]
                text = f"{scores[name]['pooled']:.3f} ({low:.3f} to {high:.3f})"
                lines.append(("evaluated", f"{name.replace('_', ' ')} {text}, preset {scores['preset']}"))
            cv = scores["cv_description" if "cv_description" in scores else "splitting"]  # files of format 1
            lines.append(("", f"split by {cv}"))
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError):  # not a report of soundclf train
        lines = [("report", format_json(report))]
    yield from lines

"""Evaluations as JSON and as a web page."""

from __future__ import annotations

import base64
import datetime as dt
import io
import os
from collections.abc import Sequence
from html import escape
from typing import Any

from .._utils.optional import import_optional

__all__ = ["check_matplotlib", "format_page", "summarize"]

_STYLE = """
body { font-family: system-ui, sans-serif; line-height: 1.4; max-width: 70em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 0.5em 0; }
tbody th { max-width: 24em; overflow-wrap: anywhere; }
img { max-width: 100%; }
"""


def summarize(result: Any, preset: str, random_state: int) -> dict[str, Any]:
    """Return the scores of an evaluation as JSON types, without file names."""
    from .._version import __version__

    names = ("accuracy", "balanced_accuracy", "macro_f1")
    matrix = result.confusion_matrix
    return {
        "preset": preset,
        "random_state": random_state,
        "soundclf": __version__,
        "clips": len(result.y_true),
        "recordings": result.n_recordings,
        "cv_description": result.cv_description,
        "confidence_level": result.confidence_level,
        **{
            name: {
                "pooled": result.pooled[name],
                "interval": list(result.intervals[name]),
                "splits": result.scores[name].tolist(),
            }
            for name in names
        },
        "calibration_error": result.calibration_error,
        "train_clips": result.n_train.tolist(),
        "test_clips": result.n_test.tolist(),
        "classes": [
            {
                "label": label,
                "precision": correct / max(predicted, 1),
                "recall": correct / max(support, 1),
                "f1": 2 * correct / max(predicted + support, 1),
                "clips": support,
            }
            for label, correct, predicted, support in zip(
                result.classes.tolist(),
                matrix.diagonal().tolist(),
                matrix.sum(axis=0).tolist(),
                matrix.sum(axis=1).tolist(),
                strict=True,
            )
        ],
        "confusion_matrix": matrix.tolist(),
        "recordings_on_both_sides": len(result.leaks),
        "sounds_on_both_sides": len(result.duplicates),
        "missing_classes": [{"split": split + 1, "label": label} for split, label in result.missing_classes],
    }


def check_matplotlib(feature: str) -> None:
    """Check before the work that matplotlib is installed."""
    import_optional("matplotlib", extra="plot", feature=feature)


def format_page(
    result: Any, scores: dict[str, Any], source: str, errors: Sequence[tuple[str, str]], missing: Sequence[str]
) -> str:
    """Return an evaluation as a self-contained web page."""
    from ..evaluation import format_evaluation_html

    title = f"Evaluation of {os.path.basename(os.path.abspath(source))}"  # noqa: PTH100, PTH119 - the name as typed
    facts = {
        "Classifier": f'make_classifier("{scores["preset"]}", random_state={scores["random_state"]})',
        "Created": f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC with soundclf {scores['soundclf']}",
    }
    left_out = [f"<li>{escape(path)}: {escape(reason)}</li>" for path, reason in errors]
    if missing:
        left_out.append(f"<li>{len(missing):,} files that are missing or in an unreadable format</li>")
    parts = [
        f"<h1>{escape(title)}</h1>",
        "<p>" + "<br>".join(f"{escape(name)}: {escape(text)}" for name, text in facts.items()) + "</p>",
        format_evaluation_html(result, expanded=True),
        f'<p><img alt="Confusion matrix" src="data:image/png;base64,{_plot_confusion_matrix(result)}"></p>',
        f"<h2>Files left out</h2><ul>{''.join(left_out)}</ul>" if left_out else "",
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>{"".join(parts)}</body></html>\n'


def _plot_confusion_matrix(result: Any) -> str:
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    figure = result.plot_confusion_matrix().figure_
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120, bbox_inches="tight")
    plt.close(figure)
    return base64.b64encode(content.getvalue()).decode()

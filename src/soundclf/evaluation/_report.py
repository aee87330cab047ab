"""How evaluations read: as text, and as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from .._utils.text import format_list, format_table

__all__ = [
    "format_comparison_html",
    "format_comparison_text",
    "format_evaluation_html",
    "format_evaluation_text",
]

_TITLES = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro F1"}


def _format_html_table(rows: Sequence[Sequence[str]], shades: Sequence[Sequence[float]] | None = None) -> str:
    def cell(tag: str, text: str, shade: float | None = None) -> str:
        color = (
            ""
            if shade is None
            else f";background:rgba(33,102,172,{shade:.2f});color:{'#fff' if shade > 0.5 else 'inherit'}"
        )
        return f'<{tag} style="text-align:right;padding:2px 8px{color}">{escape(text)}</{tag}>'

    head = "".join(cell("th", text) for text in rows[0])
    body = []
    for i, row in enumerate(rows[1:]):
        cells = [cell("td", text, None if shades is None else shades[i][j]) for j, text in enumerate(row[1:])]
        body.append(f"<tr>{cell('th', row[0])}{''.join(cells)}</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _make_score_rows(result: Any) -> list[list[str]]:
    level = f"{100 * result.confidence_level:g} % interval"
    rows = [["", "pooled", level, "mean of splits", "std"]]
    for name, title in _TITLES.items():
        low, high = result.intervals[name]
        scores = result.scores[name]
        spread = f"{scores.std(ddof=1):.3f}" if len(scores) > 1 else "-"
        rows.append([title, f"{result.pooled[name]:.3f}", f"{low:.3f} to {high:.3f}", f"{scores.mean():.3f}", spread])
    return rows


def _make_split_rows(result: Any) -> list[list[str]]:
    rows = [["split", "train", "test", *_TITLES.values(), "fit"]]
    for i in range(len(result.n_test)):
        scores = [f"{result.scores[name][i]:.3f}" for name in _TITLES]
        rows.append([str(i + 1), str(result.n_train[i]), str(result.n_test[i]), *scores, f"{result.fit_time[i]:.1f} s"])
    return rows


def _make_class_rows(result: Any) -> list[list[str]]:
    rows = [["class", "precision", "recall", "F1", "clips"]]
    matrix = result.confusion_matrix  # in scikit-learn's report, a class named "accuracy" would be overwritten
    for label, correct, support, predicted in zip(
        result.classes, matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0), strict=True
    ):
        figures = [
            part / max(whole, 1)
            for part, whole in ((correct, predicted), (correct, support), (2 * correct, predicted + support))
        ]
        rows.append([str(label), *(f"{figure:.3f}" for figure in figures), str(support)])
    return rows


def _make_confusion_rows(result: Any) -> list[list[str]]:
    rows = [["true \\ predicted", *(str(i + 1) for i in range(len(result.classes)))]]
    for i, (label, counts) in enumerate(zip(result.classes, result.confusion_matrix, strict=True)):
        rows.append([f"{i + 1} {label}", *(str(count) if count else "." for count in counts)])
    return rows


def _make_notes(result: Any) -> list[str]:
    recordings = "" if result.n_recordings is None else f" from {result.n_recordings} recordings"
    notes = [f"{len(result.y_true)} test clips{recordings}, split by {result.cv_description}."]
    if result.n_recordings is None:
        notes.append("No recordings are known: the interval treats each clip as one, and leaks cannot be detected.")
    elif len(result.leaks):
        verb = "recording has" if len(result.leaks) == 1 else "recordings have"
        notes.append(f"{len(result.leaks)} {verb} clips on both sides of a split: {format_list(result.leaks)}.")
    else:
        notes.append("No recording is on both sides of a split.")
    if result.duplicates:
        sounds = "1 sound occurs" if len(result.duplicates) == 1 else f"{len(result.duplicates)} sounds occur"
        notes.append(
            f"{sounds} on both sides of a split under different names, for example clips "
            f"{format_list(result.duplicates[0])}."
        )
    if result.missing_classes:
        split, label = result.missing_classes[0]
        notes.append(
            f"Classes without training clips, which cannot be predicted: {len(result.missing_classes)}, the first one "
            f"{label!r} in split {split + 1}."
        )
    if result.calibration_error is not None:
        notes.append(f"Expected calibration error: {result.calibration_error:.3f}.")
    return notes


def format_evaluation_text(result: Any) -> str:
    """Format an evaluation as plain text."""
    tables = [_make_split_rows(result), _make_class_rows(result)]
    if len(result.classes) <= 20:
        tables.append(_make_confusion_rows(result))
    return "\n\n".join(
        [format_table(_make_score_rows(result)), "\n".join(_make_notes(result)), *map(format_table, tables)]
    )


def format_evaluation_html(result: Any, *, expanded: bool = False) -> str:
    """Format an evaluation as HTML, with all details shown if ``expanded``."""
    state = " open" if expanded else ""
    totals = result.confusion_matrix.sum(axis=1, keepdims=True).clip(min=1)
    shades = (result.confusion_matrix / totals).tolist()
    matrix = _format_html_table(_make_confusion_rows(result), shades)
    parts = [
        _format_html_table(_make_score_rows(result)),
        f"<p>{escape(' '.join(_make_notes(result)))}</p>",
        f"<details{state}><summary>By split</summary>{_format_html_table(_make_split_rows(result))}</details>",
        f"<details{state}><summary>By class</summary>{_format_html_table(_make_class_rows(result))}</details>",
        f"<details open><summary>Confusion matrix</summary>{matrix}</details>",
    ]
    return f"<div>{''.join(parts)}</div>"


def _make_comparison_rows(result: Any) -> tuple[list[list[str]], list[list[str]]]:
    figures = [["", "accuracy", "interval", "mean of splits", "fit"]]
    for name, evaluation in result.evaluations.items():
        low, high = evaluation.intervals["accuracy"]
        accuracy = evaluation.scores["accuracy"].mean()
        seconds = f"{evaluation.fit_time.mean():.1f} s"
        figures.append(
            [str(name), f"{evaluation.pooled['accuracy']:.3f}", f"{low:.3f} to {high:.3f}", f"{accuracy:.3f}", seconds]
        )
    pairs = [["", "difference", "interval", "p", "p (Holm)"]]
    for pair in result.differences:
        low, high = pair["interval"]
        row = [
            f"{pair['first']} - {pair['second']}",
            f"{pair['difference']:+.3f}",
            f"{low:+.3f} to {high:+.3f}",
        ]
        pairs.append([*row, f"{pair['p_value']:.3g}", f"{pair['p_adjusted']:.3g}"])
    return figures, pairs


def format_comparison_text(result: Any) -> str:
    """Format a comparison as plain text."""
    figures, pairs = _make_comparison_rows(result)
    notes = "\n".join(_make_notes(next(iter(result.evaluations.values())))[:2])
    method = "Accuracy, split by split; t-test with the correction of Nadeau and Bengio:"
    return "\n\n".join([format_table(figures), notes, f"{method}\n{format_table(pairs)}"])


def format_comparison_html(result: Any) -> str:
    """Format a comparison as HTML."""
    figures, pairs = _make_comparison_rows(result)
    notes = escape(" ".join(_make_notes(next(iter(result.evaluations.values())))[:2]))
    method = "Accuracy, split by split; t-test with the correction of Nadeau and Bengio:"
    return f"<div>{_format_html_table(figures)}<p>{notes}</p><p>{method}</p>{_format_html_table(pairs)}</div>"

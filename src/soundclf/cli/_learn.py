"""From a collection to an evaluation and a model: ``soundclf evaluate`` and ``soundclf train``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.files import write_atomically
from .._utils.text import escape_controls, format_csv_row
from ._collection import (
    SOURCE,
    Folds,
    Group,
    Jobs,
    Label,
    Memory,
    PathColumn,
    Preset,
    PresetOption,
    RandomState,
    Root,
    drop_unusable,
    get_verbosity,
    load_collection,
    open_feature_cache,
    report_unusable,
)
from ._files import check_output, escape_lines, format_json
from ._process import make_scratch_directory, print_data, print_message, silence_native_stderr
from ._reports import check_matplotlib, format_page, summarize

__all__ = ["evaluate", "train"]

_MAX_LISTED = 10  # groups of identical sounds in a report


def evaluate(
    source: Annotated[str, typer.Argument(metavar="DIR|CSV", help=SOURCE)],
    folds: Folds = None,
    group: Group = None,
    preset: PresetOption = Preset.balanced,
    report: Annotated[str | None, typer.Option(metavar="FILE", help="Write a report to this .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table with one row per prediction.")] = False,
    label: Label = None,
    path: PathColumn = None,
    root: Root = None,
    random_state: RandomState = 0,
    memory: Memory = None,
    jobs: Jobs = -1,
) -> None:
    """Cross-validate a classifier on unseen recordings.

    Uses the folds of the collection if it has any, else five folds that keep the clips of a recording together. Without
    --folds and --group recordings are unknown, and scores are too high if several clips were cut from one recording.
    Unusable files are left out and listed at the end; the exit code is then 3.

    Examples
    --------
    soundclf evaluate recordings --group '(.+)-'
    soundclf evaluate ESC-10 --folds '^(.)-' --group '^.-(.+)-' --report esc10.html
    soundclf evaluate sounds.csv --folds fold --preset accurate --json
    """
    if as_json and as_csv:
        raise typer.BadParameter("It cannot be combined with --csv.", param_hint="'--json'")
    file = None if report is None else check_output(report, (".html", ".htm"), "--report")
    if file is not None:
        check_matplotlib("--report")
    dataset = load_collection(source, label=label, group=group, folds=folds, path=path, root=root)
    _check_classes(source, dataset)
    with open_feature_cache(memory) as folder:
        model = _make_model(preset, folder, jobs, random_state)
        good, errors = drop_unusable(dataset, model)
        result = _cross_validate(model, good, random_state)
    scores = summarize(result, preset.value, random_state)
    if file is not None:
        with write_atomically(file) as temporary:
            temporary.write_text(
                format_page(result, scores, source, errors, dataset.missing), "utf-8", "backslashreplace"
            )
        print_message(f"Wrote {escape_controls(report)}.")
    if as_json:
        unusable = [{"path": clip, "error": reason} for clip, reason in errors]
        same = [good["data"][positions] for positions in result.duplicates]
        lists = {"leaks": result.leaks, "duplicates": same, "unusable": unusable, "missing": dataset.missing}
        print_data(format_json({**scores, **lists}, indent=1))
    elif as_csv:
        _print_predictions(result, good)
    else:
        print_data(escape_lines(str(result)))
        for same in result.duplicates[:_MAX_LISTED]:
            paths = " = ".join(escape_controls(repr(path)) for path in good["data"][same])
            print_data(f"On both sides of a split: {paths}")
    report_unusable(errors, dataset.missing)


def train(
    source: Annotated[str, typer.Argument(metavar="DIR|CSV", help=SOURCE)],
    target: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Model file to write: .skops, or .joblib for Python's pickle.")
    ],
    preset: PresetOption = Preset.balanced,
    with_evaluation: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Cross-validate first, like soundclf evaluate.")
    ] = True,
    folds: Folds = None,
    group: Group = None,
    label: Label = None,
    path: PathColumn = None,
    root: Root = None,
    random_state: RandomState = 0,
    memory: Memory = None,
    jobs: Jobs = -1,
) -> None:
    """Train, evaluate and save a classifier.

    Checks the files, cross-validates, fits on all clips and saves the model with a report, which soundclf describe
    shows. A .skops file contains the report and is safe to load; for a .joblib file, the report is written to
    FILE.json. Unusable files are left out and listed at the end; the exit code is then 3.

    Examples
    --------
    soundclf train recordings --group '(.+)-' --out sounds.skops
    soundclf train sounds.csv --folds fold --preset accurate --out sounds.skops
    """
    file = check_output(target, (".skops", ".joblib"))
    if file.suffix.lower() == ".joblib":
        check_output(f"{target}.json", (".json",))  # the report
    dataset = load_collection(source, label=label, group=group, folds=folds, path=path, root=root)
    _check_classes(source, dataset)
    from ..datasets import check_clips

    found = check_clips(dataset, n_jobs=jobs, verbose=get_verbosity())
    print_message(_format_check(found))
    with open_feature_cache(memory) as folder:
        model = _make_model(preset, folder, jobs, random_state)
        good, errors = drop_unusable(dataset, model)
        report = None
        if with_evaluation:
            result = _cross_validate(model, good, random_state)
            report = summarize(result, preset.value, random_state)
            print_data(_format_accuracy(report))
        print_message(f"Fitting on all {len(good['data']):,} clips.")
        model = _make_model(preset, folder, jobs, random_state, verbose=get_verbosity()).fit(
            good["data"], good["target"]
        )
    _clear_verbosity(model)
    _save(model, file, {"trained_on": _summarize_training(good, errors), "evaluation": report})
    print_message(f"Wrote {escape_controls(target)} ({file.stat().st_size / 1e6:.1f} MB).")
    report_unusable(errors, dataset.missing)


def _check_classes(source: str, dataset: Any) -> None:
    if len(dataset.target_names) < 2:
        raise ValueError(
            f"{source!r} has clips of only one class, {dataset.target_names[0]!r}; a classifier needs two or "
            "more classes"
        )


def _make_model(preset: Preset, folder: str, jobs: int, random_state: int, *, verbose: int = 0) -> Any:
    from ..classifiers import import_backend
    from ..presets import make_classifier

    with silence_native_stderr():
        import_backend()  # TensorFlow writes start-up messages
    return make_classifier(preset.value, memory=folder, n_jobs=jobs, random_state=random_state, verbose=verbose)


def _cross_validate(model: Any, dataset: dict[str, Any], random_state: int) -> Any:
    from ..evaluation import cross_validate_clips

    if dataset["groups"] is None and dataset["cv"] is None:
        print_message(
            "Recordings are unknown: if several clips were cut from one recording, scores are too high; pass --group."
        )
    try:
        return cross_validate_clips(model, dataset, random_state=random_state, verbose=get_verbosity())
    except ValueError as error:
        raise ValueError(f"Cross-validation is not possible (train --no-evaluate skips it): {error}") from error


def _format_accuracy(scores: dict[str, Any]) -> str:
    low, high = scores["accuracy"]["interval"]
    unseen = "unseen clips" if scores["recordings"] is None else "unseen recordings"
    return (
        f"Accuracy on {unseen}: {scores['accuracy']['pooled']:.3f} ({low:.3f} to {high:.3f}; {scores['clips']:,} "
        f"clips of {len(scores['classes'])} classes, split by {scores['cv_description']})"
    )


def _format_check(found: Any) -> str:
    parts = {
        "silent": int(found.silent.sum()),
        "clipped": int((found.clipped > 0).sum()),
        "duplicated": sum(map(len, found.duplicates)),
    }
    remarks = ", ".join(f"{n:,} {what}" for what, n in parts.items() if n)
    usable = f"{int(found.usable.sum()):,} of {len(found.clips):,} files are usable"
    return f"{usable}; of these, {remarks}." if remarks else f"{usable}."


def _clear_verbosity(model: Any) -> None:
    """Turn off the progress bars of all parts of a fitted model."""
    if hasattr(model, "verbose"):
        model.verbose = 0
    parts = [part for name in ("steps", "estimators") for _, part in getattr(model, name, ())]
    for part in [*parts, *getattr(model, "estimators_", ())]:
        _clear_verbosity(part)


def _summarize_training(dataset: dict[str, Any], errors: Sequence[Any]) -> dict[str, Any]:
    import numpy as np

    labels, counts = np.unique(dataset["target"], return_counts=True)
    groups = dataset["groups"]
    return {
        "clips": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
        "recordings": None if groups is None else len(np.unique(groups)),
        "left_out": len(errors),
    }


def _save(model: Any, file: Path, report: dict[str, Any]) -> None:
    import joblib

    from ..persistence import describe, load, save

    if file.suffix.lower() == ".skops":
        save(model, file, report=report)
        return
    with make_scratch_directory() as folder:
        skops = Path(folder, "model.skops")
        save(model, skops, report=report)  # resets cache folders and numbers of workers
        with (
            write_atomically(file.with_name(f"{file.name}.json")) as description,
            write_atomically(file) as temporary,
        ):  # both files or neither
            description.write_text(format_json(describe(skops), indent=1) + "\n", "utf-8")
            joblib.dump(load(skops), temporary)


def _print_predictions(result: Any, dataset: dict[str, Any]) -> None:
    columns = {name: dataset[key] for name, key in (("group", "groups"), ("fold", "fold")) if dataset[key] is not None}
    print_data(format_csv_row(["path", *columns, "split", "label", "predicted", "probability"]))
    for i, position in enumerate(result.positions):
        cells = [values[position] for values in columns.values()]
        probability = f"{result.probabilities[i].max():.6g}"
        predictions = [result.split[i] + 1, result.y_true[i], result.y_pred[i], probability]
        print_data(format_csv_row([dataset["data"][position], *cells, *predictions]))

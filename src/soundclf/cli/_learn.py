"""From a collection to an honest figure and a model: ``soundclf evaluate`` and ``soundclf train``."""

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

_LISTED = 10  # identical sounds that a report names


def evaluate(
    source: Annotated[str, typer.Argument(metavar="DIR|CSV", help=SOURCE)],
    folds: Folds = None,
    group: Group = None,
    preset: PresetOption = Preset.balanced,
    report: Annotated[str | None, typer.Option(metavar="FILE", help="Also write a report as one .html file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table, a row for every prediction.")] = False,
    label: Label = None,
    path: PathColumn = None,
    root: Root = None,
    random_state: RandomState = 0,
    memory: Memory = None,
    jobs: Jobs = -1,
) -> None:
    """Judge a classifier by recordings that it has not heard.

    Cross-validates by the folds of the collection if it tells any, else by five that keep recordings whole. Without
    --folds and --group no recordings are known, and the figure is too good if several clips were cut from one. Files
    that cannot be used are left out, listed at the end, and make the exit code 3.

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
        model = _classifier(preset, folder, jobs, random_state)
        good, errors = drop_unusable(dataset, model)
        result = _judged(model, good, random_state)
    figures = summarize(result, preset.value, random_state)
    if file is not None:
        with write_atomically(file) as aside:
            aside.write_text(format_page(result, figures, source, errors, dataset.missing), "utf-8", "backslashreplace")
        print_message(f"Wrote {escape_controls(report)}.")
    if as_json:
        unusable = [{"path": clip, "error": reason} for clip, reason in errors]
        same = [good["data"][positions] for positions in result.duplicates]
        lists = {"leaks": result.leaks, "duplicates": same, "unusable": unusable, "missing": dataset.missing}
        print_data(format_json({**figures, **lists}, indent=1))
    elif as_csv:
        _print_predictions(result, good)
    else:
        print_data(escape_lines(str(result)))
        for same in result.duplicates[:_LISTED]:
            print_data(
                f"On both sides of a split: {' = '.join(escape_controls(repr(path)) for path in good['data'][same])}"
            )
    report_unusable(errors, dataset.missing)


def train(
    source: Annotated[str, typer.Argument(metavar="DIR|CSV", help=SOURCE)],
    target: Annotated[
        str, typer.Option("--out", metavar="FILE", help="The model: a .skops file, or .joblib for Python's pickle.")
    ],
    preset: PresetOption = Preset.balanced,
    with_evaluation: Annotated[
        bool, typer.Option("--evaluate/--no-evaluate", help="Cross-validate first, as soundclf evaluate does.")
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
    """Train a classifier, judge it, and save it.

    Checks the files, cross-validates, fits on all clips, and saves. The report is in the .skops file, which runs no
    code when it is loaded, or beside a .joblib file, in FILE.json; soundclf describe shows it. Files that cannot be
    used are left out, listed at the end, and make the exit code 3.

    Examples
    --------
    soundclf train recordings --group '(.+)-' --out sounds.skops
    soundclf train sounds.csv --folds fold --preset accurate --out sounds.skops
    """
    file = check_output(target, (".skops", ".joblib"))
    if file.suffix.lower() == ".joblib":
        check_output(f"{target}.json", (".json",))  # where the report goes
    dataset = load_collection(source, label=label, group=group, folds=folds, path=path, root=root)
    _check_classes(source, dataset)
    from ..datasets import check_clips

    found = check_clips(dataset, n_jobs=jobs, verbose=get_verbosity())
    print_message(_remarks(found))
    with open_feature_cache(memory) as folder:
        model = _classifier(preset, folder, jobs, random_state)
        good, errors = drop_unusable(dataset, model)
        report = None
        if with_evaluation:
            result = _judged(model, good, random_state)
            report = summarize(result, preset.value, random_state)
            print_data(_figure(report))
        print_message(f"Fitting on all {len(good['data']):,} clips.")
        model = _classifier(preset, folder, jobs, random_state, verbose=get_verbosity()).fit(
            good["data"], good["target"]
        )
    _silence(model)
    _save(model, file, {"trained_on": _trained_on(good, errors), "evaluation": report})
    print_message(f"Wrote {escape_controls(target)} ({file.stat().st_size / 1e6:.1f} MB).")
    report_unusable(errors, dataset.missing)


def _check_classes(source: str, dataset: Any) -> None:
    if len(dataset.target_names) < 2:
        raise ValueError(
            f"{source!r} holds clips of one class only, {dataset.target_names[0]!r}; a classifier needs two or more"
        )


def _classifier(preset: Preset, folder: str, jobs: int, random_state: int, *, verbose: int = 0) -> Any:
    from ..classifiers import import_backend
    from ..presets import make_classifier

    with silence_native_stderr():
        import_backend()  # imports TensorFlow, which greets at length
    return make_classifier(preset.value, memory=folder, n_jobs=jobs, random_state=random_state, verbose=verbose)


def _judged(model: Any, dataset: dict[str, Any], random_state: int) -> Any:
    from ..evaluation import cross_validate_clips

    if dataset["groups"] is None and dataset["cv"] is None:
        print_message(
            "No recordings are known: if several clips were cut from one, the figure is too good (--group tells them)."
        )
    try:
        return cross_validate_clips(model, dataset, random_state=random_state, verbose=get_verbosity())
    except ValueError as error:
        reason = str(error).removesuffix("; fewer folds are asked for by cv")
        raise ValueError(f"It cannot be cross-validated (train --no-evaluate does without): {reason}") from error


def _figure(figures: dict[str, Any]) -> str:
    low, high = figures["accuracy"]["interval"]
    known = figures["recordings"] is not None
    heard = "clips of recordings that it had not heard" if known else "clips that it had not heard"
    return (
        f"Accuracy on {heard}: {figures['accuracy']['pooled']:.3f} ({low:.3f} to {high:.3f}; {figures['clips']:,} "
        f"clips of {len(figures['classes'])} classes, split by {figures['cv_description']})"
    )


def _remarks(found: Any) -> str:
    parts = {
        "silent": int(found.silent.sum()),
        "clipped": int((found.clipped > 0).sum()),
        "there more than once": sum(map(len, found.duplicates)),
    }
    told = ", ".join(f"{n:,} {what}" for what, n in parts.items() if n)
    usable = f"{int(found.usable.sum()):,} of {len(found.clips):,} files can be used"
    return f"{usable}; of these, {told}." if told else f"{usable}."


def _silence(model: Any) -> None:
    """Let no part of a fitted model show progress bars where it is used."""
    if hasattr(model, "verbose"):
        model.verbose = 0
    named = [part for name in ("steps", "estimators") for _, part in getattr(model, name, ())]
    for part in [*named, *getattr(model, "estimators_", ())]:
        _silence(part)


def _trained_on(dataset: dict[str, Any], errors: Sequence[Any]) -> dict[str, Any]:
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
        twin = Path(folder, "model.skops")
        save(model, twin, report=report)  # where paths and worker counts are left behind
        with (
            write_atomically(file.with_name(f"{file.name}.json")) as beside,
            write_atomically(file) as aside,
        ):  # both of them or neither
            beside.write_text(format_json(describe(twin), indent=1) + "\n", "utf-8")
            joblib.dump(load(twin), aside)


def _print_predictions(result: Any, dataset: dict[str, Any]) -> None:
    known = {name: dataset[key] for name, key in (("group", "groups"), ("fold", "fold")) if dataset[key] is not None}
    print_data(format_csv_row(["path", *known, "split", "label", "predicted", "probability"]))
    for i, position in enumerate(result.positions):
        cells = [values[position] for values in known.values()]
        probability = f"{result.probabilities[i].max():.6g}"
        answers = [result.split[i] + 1, result.y_true[i], result.y_pred[i], probability]
        print_data(format_csv_row([dataset["data"][position], *cells, *answers]))

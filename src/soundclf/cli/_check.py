"""Checks and features of a collection: ``soundclf check`` and ``soundclf features``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .._utils.files import write_atomically
from .._utils.optional import import_optional
from .._utils.text import escape_controls, format_csv_row
from ._collection import (
    SOURCE,
    Folds,
    Group,
    Jobs,
    Label,
    Memory,
    PathColumn,
    Root,
    extract_features,
    get_verbosity,
    list_reasons,
    load_collection,
    report_unusable,
    select_rows,
)
from ._files import check_output, escape_lines, format_json
from ._process import PARTLY, print_data, print_message

__all__ = ["check", "features"]


def check(
    sources: Annotated[list[str], typer.Argument(metavar="DIR|CSV", help=f"{SOURCE} Several are combined.")],
    label: Label = None,
    group: Group = None,
    folds: Folds = None,
    path: PathColumn = None,
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table with one row per file.")] = False,
    jobs: Jobs = -1,
) -> None:
    """Summarize a collection and find bad files.

    Decodes each file once. Prints the distribution of classes, durations, sampling rates, channels and formats, and
    lists unusable, silent, clipped and duplicate files. The exit code is 3 if some are unusable.

    Examples
    --------
    soundclf check recordings
    soundclf check train.csv test.csv --label species --csv > files.csv
    soundclf check UrbanSound8K/metadata/UrbanSound8K.csv --json
    """
    _check_format(as_json, as_csv)
    columns = {"label": label, "group": group, "folds": folds, "path": path, "root": root}
    from ..datasets import check_clips

    dataset, missing = _concatenate([load_collection(source, **columns) for source in sources])
    found = check_clips(dataset, n_jobs=jobs, verbose=get_verbosity())
    if as_json:
        print_data(format_json(_make_document(found, dataset, missing), indent=1))
    elif as_csv:
        _print_table(_make_rows(found, dataset, missing))
    else:
        print_data(escape_lines(str(found)))
        if missing:
            print_data(f"\nMissing, or in an unreadable format: {len(missing):,}")
    if found.errors or missing:
        raise typer.Exit(PARTLY)


def _check_format(as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("It cannot be combined with --csv.", param_hint="'--json'")


def _concatenate(bunches: Sequence[Any]) -> tuple[dict[str, Any], list[str]]:
    """Concatenate collections."""
    import numpy as np

    combined: dict[str, Any] = {name: np.concatenate([bunch[name] for bunch in bunches]) for name in ("data", "target")}
    for name in ("groups", "fold"):
        known = all(bunch[name] is not None for bunch in bunches)
        combined[name] = np.concatenate([bunch[name] for bunch in bunches]) if known else None
    return combined, [path for bunch in bunches for path in bunch.missing]


def _make_rows(found: Any, dataset: dict[str, Any], missing: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row of a table for each file."""
    original = {position: same[0] for same in found.duplicates for position in same[1:]}
    rows = []
    for i, clip in enumerate(found.clips):
        usable = i not in found.errors
        row = {"path": clip, "label": dataset["target"][i]}
        known = [(name, dataset[key]) for name, key in (("group", "groups"), ("fold", "fold"))]
        row |= {name: values[i] for name, values in known if values is not None}
        row |= {
            "duration": float(found.duration[i]),
            "rate": float(found.rate[i]),
            "channels": int(found.channels[i]) if usable else None,
            "format": str(found.format[i]) if usable else None,
            "peak": float(found.peak[i]),
            "silent": bool(found.silent[i]) if usable else None,
            "clipped": int(found.clipped[i]) if usable else None,
            "duplicate_of": found.clips[original[i]] if i in original else None,
            "error": None if usable else found.errors[i].reason,
        }
        rows.append(row)
    absent = dict.fromkeys(rows[0])
    return rows + [{**absent, "path": path, "error": _explain_missing(path)} for path in missing]


def _explain_missing(path: str) -> str:
    if os.path.isfile(path):  # noqa: PTH113 - Path.is_file fails on some names
        return "it is in a format that libsndfile does not decode"
    return "it is not a file" if os.path.exists(path) else "there is no such file"  # noqa: PTH110


def _make_document(found: Any, dataset: dict[str, Any], missing: Sequence[str]) -> dict[str, Any]:
    import numpy as np

    usable = found.usable
    classes = []
    for name in np.unique(dataset["target"]):
        part = dataset["target"] == name
        lengths = found.duration[part & usable]
        values = [lengths.min(), np.median(lengths), lengths.max(), lengths.sum()] if len(lengths) else [np.nan] * 4
        names = ("shortest", "median", "longest", "seconds")
        classes.append({"label": name, "clips": int(part.sum()), **dict(zip(names, map(float, values), strict=True))})
    errors = [(found.clips[i], error.reason) for i, error in found.errors.items()]
    errors += [(path, _explain_missing(path)) for path in missing]
    return {
        "clips": len(found.clips) + len(missing),
        "usable": int(usable.sum()),
        "seconds": float(np.nansum(found.duration)),
        "classes": classes,
        **{
            name: _count_values(values[usable])
            for name, values in (("rates", found.rate), ("channels", found.channels), ("formats", found.format))
        },
        "unusable": [{"path": path, "error": error} for path, error in errors],
        "silent": found.clips[found.silent],
        "clipped": [{"path": found.clips[i], "places": found.clipped[i]} for i in np.flatnonzero(found.clipped)],
        "duplicates": [found.clips[same] for same in found.duplicates],
    }


def _count_values(values: Any) -> list[dict[str, Any]]:
    counts = Counter(values.tolist()).most_common()
    return [{"value": value, "clips": n} for value, n in counts]


def _print_table(rows: Sequence[dict[str, Any]]) -> None:
    print_data(format_csv_row(rows[0]))
    for row in rows:
        print_data(format_csv_row(map(_format_cell, row.values())))


def _format_cell(value: Any) -> Any:
    """Return a cell of a CSV file: empty for unknown values, floats with six significant digits."""
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else value


# -- features ----------------------------------------------------------------------------------------------------------


class Kind(StrEnum):
    """Kinds of features."""

    mean = "mean"
    statistics = "statistics"


def features(
    source: Annotated[str, typer.Argument(metavar="DIR|CSV", help=SOURCE)],
    target: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write: .parquet, .csv or .npz.")],
    kind: Annotated[
        Kind, typer.Option(help="MFCCMeanTransformer (40 columns) or MFCCStatisticsTransformer (several hundred).")
    ] = Kind.mean,
    label: Label = None,
    group: Group = None,
    folds: Folds = None,
    path: PathColumn = None,
    root: Root = None,
    memory: Memory = None,
    jobs: Jobs = -1,
) -> None:
    """Extract the features of a collection.

    Writes one row per file, with its path, label, group, fold and features. A .npz file contains the arrays X,
    feature_names, path and label, also group and fold if they are known; numpy.load reads it without pickle. Unusable
    files are left out and listed at the end; the exit code is then 3.

    Examples
    --------
    soundclf features recordings --out features.csv --group '(.+)-'
    soundclf features sounds.csv --out features.parquet --kind statistics
    """
    file = check_output(target, (".parquet", ".csv", ".npz"))
    if file.exists() and Path(source).exists() and file.samefile(source):
        raise FileExistsError(f"{target!r} cannot be written: it is the input table")
    if file.suffix.lower() == ".parquet":
        import_optional("pyarrow", extra="parquet", feature="A Parquet file")
    dataset = load_collection(source, label=label, group=group, folds=folds, path=path, root=root)
    from ..transformers import MFCCMeanTransformer, MFCCStatisticsTransformer

    if file.suffix.lower() == ".parquet":
        _check_text(dataset.data)
    transformer = (MFCCMeanTransformer if kind is Kind.mean else MFCCStatisticsTransformer)(memory=memory, n_jobs=jobs)
    rows, errors = extract_features(transformer, dataset.data)
    usable = [i for i in range(len(rows)) if i not in errors]
    if not usable:
        raise ValueError(f"No file of {source!r} is usable. {next(iter(errors.values()))}")
    good = select_rows(dataset, usable)
    columns = {"path": good["data"], "label": good["target"], "group": good["groups"], "fold": good["fold"]}
    known = {name: cells for name, cells in columns.items() if cells is not None}
    with write_atomically(file) as temporary:
        _WRITERS[file.suffix.lower()](temporary, known, rows[usable], transformer.get_feature_names_out().tolist())
    print_message(f"Wrote {len(usable):,} rows of {rows.shape[1]:,} features to {escape_controls(target)}.")
    report_unusable(list_reasons(dataset.data, errors), dataset.missing)


def _check_text(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ValueError(f"A Parquet file cannot contain the file name {path!r}; write .csv or .npz") from None


def _write_csv(file: Path, known: dict[str, Any], rows: Any, names: Sequence[str]) -> None:
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as lines:
        lines.write(format_csv_row([*known, *names]) + "\n")
        for i, row in enumerate(rows):
            lines.write(format_csv_row([*(cells[i] for cells in known.values()), *map(str, row)]) + "\n")


def _write_npz(file: Path, known: dict[str, Any], rows: Any, names: Sequence[str]) -> None:
    import numpy as np

    texts = {name: cells.astype(str) if cells.dtype == object else cells for name, cells in known.items()}
    with file.open("wb") as archive:
        np.savez(archive, X=rows, feature_names=np.asarray(names, str), **texts)


def _write_parquet(file: Path, known: dict[str, Any], rows: Any, names: Sequence[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    columns = {name: pa.array(cells.tolist()) for name, cells in known.items()}
    columns |= {name: pa.array(rows[:, i]) for i, name in enumerate(names)}
    parquet.write_table(pa.table(columns), file)


_WRITERS = {".csv": _write_csv, ".npz": _write_npz, ".parquet": _write_parquet}

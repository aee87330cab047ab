"""Classification of files: ``soundclf predict``."""

from __future__ import annotations

import os
import sys
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from .._utils.progress import show_progress
from .._utils.text import escape_controls, format_csv_row
from ._collection import Jobs, collect_errors, report_unusable
from ._files import format_json
from ._model import Trust, load_model
from ._process import defer_signals, is_terminal, print_data, raise_if_stopped, wait_for_reader

__all__ = ["predict"]

_MAX_BATCH = 64  # files


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .skops file, or with --trust a .joblib file.")],
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|DIR", help="Sound files, folders to search, or - to read a list of files from standard input."
        ),
    ],
    top: Annotated[int, typer.Option(min=1, help="Number of most probable classes to print for each file.")] = 1,
    window: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Length of windows that recordings are cut into.")
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Time from one window to the next [default: a quarter of --window]."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines, one object per file.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    trust: Trust = False,
    jobs: Jobs = -1,
) -> None:
    """Classify sounds.

    Prints a line for each file as soon as it is ready, in the order given: path, class and probability, separated by
    tabs; control characters in paths are escaped. Unusable files are listed at the end; the exit code is then 3. --csv
    and --json print paths unchanged, and the reason for each unusable file.

    With --window, prints the segments of each recording: path, start and end in seconds, class and probability. --json
    adds the --top classes of each window.

    Examples
    --------
    soundclf predict sounds.skops new/ --top 3
    find . -name '*.flac' | soundclf predict sounds.skops - --csv > answers.csv
    soundclf predict sounds.skops night.wav --window 4 --hop 1
    """
    if as_json and as_csv:
        raise typer.BadParameter("It cannot be combined with --csv.", param_hint="'--json'")
    if window is None and hop is not None:
        raise typer.BadParameter("It needs --window.", param_hint="'--hop'")
    if window is not None and top > 1 and not as_json:
        raise typer.BadParameter("With --window it needs --json.", param_hint="'--top'")
    for option, seconds in (("'--window'", window), ("'--hop'", hop)):
        if seconds is not None and not 0 < seconds < float("inf"):
            raise typer.BadParameter(f"It must be positive and finite, got {seconds:g} s.", param_hint=option)
    if window is not None and hop is not None and hop > window:
        raise typer.BadParameter("It must be at most --window.", param_hint="'--hop'")
    clips = _expand(files)
    classifier = load_model(model, trust=trust)
    classes = _get_classes(classifier, model)
    writer: _Writer = (_JsonWriter if as_json else _CsvWriter if as_csv else _TextWriter)(
        classes, top, windows=window is not None
    )
    predictions = (
        _predict_files(classifier, clips, len(classes), model)
        if window is None
        else _predict_timelines(classifier, clips, window, window / 4 if hop is None else hop)
    )
    errors: list[tuple[str, str]] = []
    n_done = 0
    try:
        import joblib

        writer.write_header()
        show = is_terminal() and window is None  # predict_timeline has its own progress bar
        with (
            joblib.parallel_config(backend="threading", n_jobs=jobs),
            show_progress("predict", len(clips), "file", enabled=show) as update,
        ):
            for clip, (prediction, error) in zip(clips, predictions, strict=True):
                wait_for_reader()
                with defer_signals():
                    if error is not None:
                        errors.append((clip, error))
                    writer.write(clip, prediction, error)
                    n_done += 1
                    update()
                raise_if_stopped()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"after {n_done:,} of {len(clips):,} files") from None
    report_unusable(errors)


def _expand(names: Sequence[str]) -> list[str]:
    """Replace folders by the sound files in them, and - by the list on standard input."""
    clips: list[str] = []
    for name in names:
        if name == "-":
            ends = b"\r\n" if os.name == "nt" else b"\n"
            clips += [os.fsdecode(line) for line in sys.stdin.buffer.read().split(ends) if line.strip()]
        elif os.path.isdir(name):  # noqa: PTH112 - a Path would normalize the name
            from ..datasets import load_audio_folder
            from ..exceptions import AudioWarning

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioWarning)  # unreadable formats are reported at the end
                found = load_audio_folder(name, label=lambda path: "unknown")
            clips += sorted([*found.data.tolist(), *found.missing])
        else:
            clips.append(name)
    if not clips:
        raise ValueError("There are no files to classify")
    return clips


def _get_classes(classifier: Any, name: str) -> list[Any]:
    classes: Any = getattr(classifier, "classes_", None)
    if not hasattr(classifier, "predict_proba") or getattr(classes, "ndim", 0) != 1:
        raise ValueError(
            f"The model {name!r} is not a classifier with probabilities: {type(classifier).__name__} has no "
            f"{'classes_' if hasattr(classifier, 'predict_proba') else 'predict_proba'}"
        )
    return list(classes.tolist())


_Prediction = tuple[Any, str | None]  # probabilities or a timeline; why a file cannot be used


def _predict_files(classifier: Any, clips: Sequence[str], n_classes: int, name: str) -> Iterator[_Prediction]:
    """Yield the probabilities of each file.

    Batches grow from one file to many, so the first prediction comes soon and many are fast. If a file of a batch
    cannot be used, the files before it are classified again without it.
    """
    from ..exceptions import AudioError

    done, n_next = 0, 1
    reasons: dict[int, str] = {}  # of unusable files, by position
    while done < len(clips):
        if done in reasons:
            yield None, reasons[done]
            done += 1
            continue
        batch = list(clips[done : done + n_next])
        try:
            rows = classifier.predict_proba(batch)
        except AudioError as error:
            bad = 0 if len(batch) == 1 else error.position
            if bad is None or bad >= len(batch):  # an error of another kind of transformer: one file at a time
                n_next = 1
            else:
                reasons[done + bad] = f"{error.reason}."
                n_next = bad or n_next
            continue
        except (TypeError, AttributeError, LookupError) as error:
            raise ValueError(f"The model {name!r} does not accept paths of sounds: {error}") from error
        if getattr(rows, "shape", None) != (len(batch), n_classes):
            raise ValueError(f"The model {name!r} does not return one probability per class and file")
        for row in rows:
            yield row.tolist(), None
        done += len(batch)
        n_next = min(2 * n_next, _MAX_BATCH)


def _predict_timelines(classifier: Any, clips: Sequence[str], window: float, hop: float) -> Iterator[_Prediction]:
    """Yield the timeline of each recording; of a damaged one, the part before the damage and the reason."""
    from ..exceptions import AudioError
    from ..timeline import predict_timeline

    shown: dict[Any, Any] = {}
    for clip in clips:
        try:
            with collect_errors(shown):  # damage is an attribute of the timeline
                timeline = predict_timeline(
                    classifier, clip, window=window, hop=hop, on_error="warn", verbose=int(is_terminal())
                )
        except AudioError as error:
            yield None, f"{error.reason}."
            continue
        damage = timeline.damage
        yield timeline, None if damage is None else f"{damage.reason}. The timeline ends there."


class _Writer(ABC):
    """Prints predictions in one format."""

    def __init__(self, classes: Sequence[Any], top: int, *, windows: bool):
        self.classes = classes
        self.top = min(top, len(classes))
        self.windows = windows

    def write_header(self) -> None:  # noqa: B027 - most formats have none
        """Print the header, if the format has one."""

    @abstractmethod
    def write(self, clip: str, prediction: Any, error: str | None) -> None:
        """Print the prediction for a file."""

    def rank(self, probabilities: Sequence[float]) -> list[tuple[Any, float]]:
        """Return the most probable classes with their probabilities."""
        order = sorted(range(len(probabilities)), key=lambda i: -probabilities[i])[: self.top]
        return [(self.classes[i], probabilities[i]) for i in order]


class _TextWriter(_Writer):
    def write(self, clip: str, prediction: Any, error: str | None) -> None:
        if prediction is None:
            return
        path = escape_controls(clip)
        if self.windows:
            for start, end, label, probability in prediction.segments():
                print_data(f"{path}\t{start:.3f}\t{end:.3f}\t{escape_controls(label)}\t{probability:.3f}")
        else:
            ranked = [f"{escape_controls(label)}\t{probability:.3f}" for label, probability in self.rank(prediction)]
            print_data("\t".join([path, *ranked]))


class _CsvWriter(_Writer):
    def write_header(self) -> None:
        numbers = ["", *(f"_{i}" for i in range(2, self.top + 1))]
        ranked = [f"{name}{number}" for number in numbers for name in ("label", "probability")]
        self._print(["path", *(("start", "end") if self.windows else ()), *ranked, "error"])

    def write(self, clip: str, prediction: Any, error: str | None) -> None:
        if self.windows and prediction is not None:
            for start, end, label, probability in prediction.segments():
                self._print([clip, round(start, 6), round(end, 6), label, round(probability, 6), ""])
        elif prediction is not None:
            cells = [cell for label, probability in self.rank(prediction) for cell in (label, round(probability, 6))]
            self._print([clip, *cells, ""])
        if error is not None:
            self._print([clip, *[""] * (2 * self.top + 2 * self.windows), error])

    def _print(self, cells: Sequence[Any]) -> None:
        print_data(format_csv_row(cells))


class _JsonWriter(_Writer):
    def write(self, clip: str, prediction: Any, error: str | None) -> None:
        document: dict[str, Any] = {"path": clip}
        if self.windows and prediction is not None:
            document["duration"] = prediction.duration
            document["segments"] = [segment._asdict() for segment in prediction.segments()]
            document["windows"] = [
                {"start": start, "end": end, **self._rank_as_dict(row)}
                for start, end, row in zip(prediction.starts, prediction.ends, prediction.probabilities, strict=True)
            ]
        elif prediction is not None:
            document |= self._rank_as_dict(prediction)
        if error is not None:
            document["error"] = error
        print_data(format_json(document))

    def _rank_as_dict(self, probabilities: Sequence[float]) -> dict[str, Any]:
        ranked = [{"label": label, "probability": probability} for label, probability in self.rank(probabilities)]
        return ranked[0] | ({"top": ranked} if self.top > 1 else {})

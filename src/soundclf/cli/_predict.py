"""From a model and files to classes: ``soundclf predict``."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from .._utils.text import escape_controls, format_csv_row
from ._collection import Jobs, report_unusable
from ._files import format_json
from ._model import Trust, load_model
from ._process import defer_signals, is_terminal, print_data, raise_if_stopped, wait_for_reader

__all__ = ["predict"]

_MOST = 64  # files that go through a model together


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A .skops file, or with --trust a .joblib file.")],
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE|DIR", help="Sounds, folders to search, or - for a list on standard input."),
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to tell of each file.")] = 1,
    window: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Cut long recordings into windows of this length.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="From one window to the next; by default a quarter of it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines: an object for every file.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a CSV table.")] = False,
    trust: Trust = False,
    jobs: Jobs = -1,
) -> None:
    """Tell the classes of sounds, with probabilities.

    Prints a line for every file as soon as it is ready, in the order given: its path, class and probability, with tabs
    between them, and control characters in names escaped. Files that cannot be used are passed over, listed at the end,
    and make the exit code 3; --csv and --json, which give names as they are, have a line with the reason in their place
    as well.

    With --window, prints the segments of each recording: path, start and end in seconds, class and probability; --json
    has each window too, with its --top classes.

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
            raise typer.BadParameter(f"{seconds:g} s is no length of time.", param_hint=option)
    if window is not None and hop is not None and hop > window:
        raise typer.BadParameter("It must be at most --window.", param_hint="'--hop'")
    clips = _expanded(files)
    classifier = load_model(model, trust=trust)
    classes = _classes(classifier, model)
    form: _Form = (_Json if as_json else _Csv if as_csv else _Text)(classes, top, windows=window is not None)
    answers = (
        _answers(classifier, clips, len(classes), model)
        if window is None
        else _timelines(classifier, clips, window, window / 4 if hop is None else hop)
    )
    errors: list[tuple[str, str]] = []
    n_done = 0
    try:
        import joblib

        form.begin()
        with joblib.parallel_config(backend="threading", n_jobs=jobs), _progress(len(clips), window) as progress:
            for clip, (answer, error) in zip(clips, answers, strict=True):
                wait_for_reader()
                with defer_signals():
                    if error is not None:
                        errors.append((clip, error))
                    form.give(clip, answer, error)
                    n_done += 1
                    progress()
                raise_if_stopped()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"after {n_done:,} of {len(clips):,} files") from None
    report_unusable(errors)


def _expanded(names: Sequence[str]) -> list[str]:
    """Give the files that are named, or are in folders or a list that are."""
    clips: list[str] = []
    for name in names:
        if name == "-":
            ends = b"\r\n" if os.name == "nt" else b"\n"
            clips += [os.fsdecode(line) for line in sys.stdin.buffer.read().split(ends) if line.strip()]
        elif os.path.isdir(name):  # noqa: PTH112 - a Path would change how the name reads
            from ..datasets import load_audio_folder
            from ..exceptions import AudioWarning

            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioWarning)  # of formats that cannot be read: it is told at the end
                found = load_audio_folder(name, label=lambda path: "unknown")
            clips += sorted([*found.data.tolist(), *found.missing])
        else:
            clips.append(name)
    if not clips:
        raise ValueError("There are no files to classify")
    return clips


def _classes(classifier: Any, name: str) -> list[Any]:
    classes: Any = getattr(classifier, "classes_", None)
    if not hasattr(classifier, "predict_proba") or getattr(classes, "ndim", 0) != 1:
        raise ValueError(
            f"The model {name!r} is no classifier with probabilities: {type(classifier).__name__} lacks "
            f"{'classes_' if hasattr(classifier, 'predict_proba') else 'predict_proba'}"
        )
    return list(classes.tolist())


_Answer = tuple[Any, str | None]  # what is known of a file, and what is wrong with it


def _answers(classifier: Any, clips: Sequence[str], n_classes: int, name: str) -> Iterator[_Answer]:
    """Give the probabilities of every file, in lots that grow, so that the first come soon and many come fast.

    A file that cannot be used is told of by its position: those before it can, and go through once more without it.
    """
    from ..exceptions import AudioError

    done, n_next = 0, 1
    while done < len(clips):
        lot = list(clips[done : done + n_next])
        try:
            rows = classifier.predict_proba(lot)
        except AudioError as error:
            bad = error.position
            if len(lot) == 1 or bad == 0:
                yield None, f"{error.reason}."
                done += 1
            else:
                n_next = bad if bad is not None and bad < len(lot) else 1
            continue
        except (TypeError, AttributeError, LookupError) as error:
            raise ValueError(f"The model {name!r} does not take paths of sounds: {error}") from error
        if getattr(rows, "shape", None) != (len(lot), n_classes):
            raise ValueError(f"The model {name!r} does not give a probability for every class and file")
        for row in rows:
            yield row.tolist(), None
        done += len(lot)
        n_next = min(2 * n_next, _MOST)


def _timelines(classifier: Any, clips: Sequence[str], window: float, hop: float) -> Iterator[_Answer]:
    """Give the timeline of every recording; of one that is damaged, up to there, and the reason."""
    from ..audio import describe_clip
    from ..exceptions import AudioError, AudioWarning
    from ..timeline import predict_timeline

    told: set[str] = set()
    for clip in clips:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", AudioWarning)
                timeline = predict_timeline(
                    classifier, clip, window=window, hop=hop, on_error="warn", verbose=int(is_terminal())
                )
        except AudioError as error:
            yield None, f"{error.reason}."
            continue
        damage = None
        for warning in caught:
            text = str(warning.message)
            if text.endswith("The timeline ends there"):
                damage = f"{text.removeprefix(f'Clip, {describe_clip(clip)}: ')}."
            elif text not in told:
                told.add(text)
                warnings.showwarning(warning.message, warning.category, warning.filename, warning.lineno)
        yield timeline, damage


def _progress(total: int, window: float | None) -> Any:
    from contextlib import contextmanager

    from tqdm.auto import tqdm

    @contextmanager
    def bar() -> Iterator[Callable[[], Any]]:
        wanted = is_terminal() and window is None  # a recording has a bar of its own
        with tqdm(total=total, desc="predict", unit="file", disable=not wanted) as progress:
            yield progress.update

    return bar()


class _Form:
    """How answers are printed."""

    def __init__(self, classes: Sequence[Any], top: int, *, windows: bool):
        self.classes = classes
        self.top = min(top, len(classes))
        self.windows = windows

    def begin(self) -> None:
        """Print what comes first."""

    def give(self, clip: str, answer: Any, error: str | None) -> None:
        """Print what is known of a file."""
        raise NotImplementedError

    def best(self, row: Sequence[float]) -> list[tuple[Any, float]]:
        """Give the most probable classes of a row."""
        order = sorted(range(len(row)), key=lambda i: -row[i])[: self.top]
        return [(self.classes[i], row[i]) for i in order]


class _Text(_Form):
    def give(self, clip: str, answer: Any, error: str | None) -> None:
        if answer is None:
            return
        if self.windows:
            for start, stop, label, probability in answer.segments():
                print_data(
                    "\t".join(
                        [
                            escape_controls(clip),
                            f"{start:.3f}",
                            f"{stop:.3f}",
                            escape_controls(label),
                            f"{probability:.3f}",
                        ]
                    )
                )
            return
        cells = [
            cell for label, probability in self.best(answer) for cell in (escape_controls(label), f"{probability:.3f}")
        ]
        print_data("\t".join([escape_controls(clip), *cells]))


class _Csv(_Form):
    def begin(self) -> None:
        numbers = ["", *(f"_{i}" for i in range(2, self.top + 1))]
        answers = [f"{name}{number}" for number in numbers for name in ("label", "probability")]
        self._print(["path", *(("start", "end") if self.windows else ()), *answers, "error"])

    def give(self, clip: str, answer: Any, error: str | None) -> None:
        if self.windows and answer is not None:
            for start, stop, label, probability in answer.segments():
                self._print([clip, round(start, 6), round(stop, 6), label, round(probability, 6), ""])
        elif answer is not None:
            cells = [cell for label, probability in self.best(answer) for cell in (label, round(probability, 6))]
            self._print([clip, *cells, ""])
        if error is not None:
            self._print([clip, *[""] * (2 * self.top + 2 * self.windows), error])

    def _print(self, cells: Sequence[Any]) -> None:
        print_data(format_csv_row(cells))


class _Json(_Form):
    def give(self, clip: str, answer: Any, error: str | None) -> None:
        told: dict[str, Any] = {"path": clip}
        if self.windows and answer is not None:
            told["duration"] = answer.duration
            told["segments"] = [segment._asdict() for segment in answer.segments()]
            told["windows"] = [
                {"start": start, "end": stop, **self._told(row)}
                for start, stop, row in zip(answer.starts, answer.ends, answer.probabilities, strict=True)
            ]
        elif answer is not None:
            told |= self._told(answer)
        if error is not None:
            told["error"] = error
        print_data(format_json(told))

    def _told(self, row: Sequence[float]) -> dict[str, Any]:
        best = [{"label": label, "probability": probability} for label, probability in self.best(row)]
        return best[0] | ({"top": best} if self.top > 1 else {})

"""Plots of sounds: ``soundclf plot``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from .._utils.files import write_atomically
from .._utils.text import escape_controls
from ._collection import report_unusable
from ._files import check_output
from ._process import print_message
from ._reports import check_matplotlib

__all__ = ["plot"]

_MAX_SOUNDS = 20  # in one figure


class Display(StrEnum):
    """Kinds of plots."""

    waveform = "waveform"
    spectrogram = "spectrogram"
    mfcc = "mfcc"


_DISPLAYS = {"waveform": "WaveformDisplay", "spectrogram": "SpectrogramDisplay", "mfcc": "MFCCDisplay"}


def plot(
    display: Annotated[Display, typer.Argument(help="Kind of plot.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Sound files, one panel each.")],
    target: Annotated[str, typer.Option("--out", metavar="FILE", help="File to write: .png, .svg, .pdf or .jpg.")],
) -> None:
    """Plot waveforms, mel spectrograms or MFCCs.

    Unusable files are left out and listed at the end; the exit code is then 3.

    Examples
    --------
    soundclf plot waveform bark.wav --out bark.png
    soundclf plot spectrogram bark.wav siren.ogg --out both.pdf
    """
    file = check_output(target, (".png", ".svg", ".pdf", ".jpg", ".jpeg"))
    check_matplotlib("plot")
    if len(files) > _MAX_SOUNDS:
        raise typer.BadParameter(f"At most {_MAX_SOUNDS} sounds fit into a figure.", param_hint="'FILE...'")
    from .. import plotting
    from ..exceptions import AudioError

    kind = getattr(plotting, _DISPLAYS[display.value])
    displays: list[Any] = []
    errors: list[tuple[str, str]] = []
    for name in files:
        try:
            displays.append(kind.from_clip(name))
        except AudioError as error:
            errors.append((name, f"{error.reason}."))
    if not displays:
        raise ValueError(f"There is nothing to plot. {files[0]!r}: {errors[0][1]}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2 * len(displays)), layout="constrained")  # without pyplot's state
    axes = figure.subplots(len(displays), squeeze=False)
    for panel, ax in zip(displays, axes.flat, strict=True):
        panel.plot(ax=ax)
    with write_atomically(file) as temporary:
        figure.savefig(temporary, dpi=120)
    print_message(f"Wrote {escape_controls(target)}.")
    report_unusable(errors)

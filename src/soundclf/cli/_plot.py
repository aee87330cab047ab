"""Pictures of sounds: ``soundclf plot``."""

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

_MOST = 20  # sounds in a picture


class Picture(StrEnum):
    """What is drawn of a sound."""

    waveform = "waveform"
    spectrogram = "spectrogram"
    mfcc = "mfcc"


_DISPLAYS = {"waveform": "WaveformDisplay", "spectrogram": "SpectrogramDisplay", "mfcc": "MFCCDisplay"}


def plot(
    picture: Annotated[Picture, typer.Argument(help="What to draw.")],
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Sounds, drawn below one another.")],
    target: Annotated[str, typer.Option("--out", metavar="FILE", help="A .png, .svg, .pdf or .jpg file to write.")],
) -> None:
    """Draw waveforms, mel spectrograms or MFCCs of sounds.

    Files that cannot be used are left out, listed at the end, and make the exit code 3.

    Examples
    --------
    soundclf plot waveform bark.wav --out bark.png
    soundclf plot spectrogram bark.wav siren.ogg --out both.pdf
    """
    file = check_output(target, (".png", ".svg", ".pdf", ".jpg", ".jpeg"))
    check_matplotlib("plot")
    if len(files) > _MOST:
        raise typer.BadParameter(f"At most {_MOST} sounds fit into a picture.", param_hint="'FILE...'")
    from .. import plotting
    from ..exceptions import AudioError

    kind = getattr(plotting, _DISPLAYS[picture.value])
    displays: list[Any] = []
    errors: list[tuple[str, str]] = []
    for name in files:
        try:
            displays.append(kind.from_clip(name))
        except AudioError as error:
            errors.append((name, f"{error.reason}."))
    if not displays:
        raise ValueError(f"There is nothing to draw: {files[0]!r}: {errors[0][1]}")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2 * len(displays)), layout="constrained")  # not pyplot's, which waveshow has drawn
    axes = figure.subplots(len(displays), squeeze=False)
    for display, ax in zip(displays, axes.flat, strict=True):
        display.plot(ax=ax)
    with write_atomically(file) as aside:
        figure.savefig(aside, dpi=120)
    print_message(f"Wrote {escape_controls(target)}.")
    report_unusable(errors)

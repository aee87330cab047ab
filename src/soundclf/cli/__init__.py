"""The ``soundclf`` command; every command calls the public API.

What a command needs is imported when it runs, so that ``soundclf --help`` answers at once.
"""

from __future__ import annotations

import inspect
import os
import textwrap
from collections.abc import Callable
from typing import Annotated

import typer

from ._check import check, features
from ._demo import demo
from ._learn import evaluate, train
from ._model import describe
from ._plot import plot
from ._predict import predict
from ._process import Commands

__all__ = ["app"]

_HELP = """Classify sounds with scikit-learn.

Data goes to standard output; messages, and progress bars on a terminal, go to standard error.

\b
Exit codes:
    0  all is well
    1  it failed, and one sentence on standard error says why
    2  wrong usage
    3  finished, but some files could not be used; they are listed
  130  interrupted by Ctrl-C (SIGINT)
  141  whoever read the output has gone
  143  ended by SIGTERM

\b
Example, from a folder of recordings to answers:
  soundclf check recordings
  soundclf train recordings --out sounds.skops
  soundclf predict sounds.skops new/*.wav
"""

app = typer.Typer(
    cls=Commands,
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from .._version import __version__

        typer.echo(f"soundclf {__version__}")
        raise typer.Exit


@app.callback()
def _soundclf(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    # TensorFlow greets on standard error; this is the command's own process.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _help(command: Callable[..., None]) -> str:
    """Give a command's docstring as help: examples as they stand, paragraphs filled."""
    told, _, examples = (inspect.getdoc(command) or "").partition("Examples\n--------\n")
    return f"{told}\b\nExamples:\n{textwrap.indent(examples, '  ')}"


for _command in (check, features, evaluate, train, predict, describe, plot, demo):
    app.command(help=_help(_command))(_command)

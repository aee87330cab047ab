"""The ``soundclf`` command; every command calls the public API.

Commands import what they need when they run, so ``soundclf --help`` is fast.
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

Data goes to standard output; messages and progress bars go to standard error.

\b
Exit codes:
    0  success
    1  failure; one sentence on standard error gives the reason
    2  wrong usage
    3  finished, but some files are unusable; they are listed
  130  interrupted by Ctrl-C (SIGINT)
  141  the reader of the output has gone (SIGPIPE)
  143  terminated by SIGTERM

\b
Example, from a folder of recordings to predictions:
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
    # TensorFlow writes start-up messages; the process belongs to the command.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def _format_help(command: Callable[..., None]) -> str:
    """Return the help of a command from its docstring: paragraphs are rewrapped, examples are not."""
    description, _, examples = (inspect.getdoc(command) or "").partition("Examples\n--------\n")
    return f"{description}\b\nExamples:\n{textwrap.indent(examples, '  ')}"


for _command in (check, features, evaluate, train, predict, describe, plot, demo):
    app.command(help=_format_help(_command))(_command)

"""The command as a process: exit codes, signals, pipes, and one sentence for whatever goes wrong."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from ._files import shown

__all__ = [
    "FAILED",
    "PARTLY",
    "Commands",
    "check_stopped",
    "on_terminal",
    "out",
    "say",
    "scratch",
    "uninterrupted",
    "wait_for_reader",
    "without_greetings",
]

FAILED = 1
PARTLY = 3  # finished, but some files could not be used
_PIPE = 128 + 13  # what a shell says of a process that SIGPIPE ended

_LONGEST = 2000  # characters of a message


class Commands(TyperGroup):
    """The commands, each run so that it ends as scripts expect."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Parameters
        ----------
        ctx : typer.Context
            What is run, and with what.

        Returns
        -------
        object
            What the command returns.
        """
        with _guarded():
            return super().invoke(ctx)


class _Signals:
    """Ctrl-C and SIGTERM as KeyboardInterrupt, and remembered: some code of others swallows exceptions.

    While it is deferring, the first one waits for the next call of check_stopped.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferring = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receive)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        waits = self.deferring and self.received is None
        self.received = number
        if not waits:
            raise KeyboardInterrupt


_signals = _Signals()


def check_stopped() -> None:
    """Raise KeyboardInterrupt if the process has been asked to stop, whatever has become of the first one."""
    if _signals.received is not None:
        raise KeyboardInterrupt


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the first signal wait for the end of this, and for check_stopped; a second one does not."""
    before, _signals.deferring = _signals.deferring, True
    try:
        yield
    finally:
        _signals.deferring = before


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    global _signals
    _signals = _Signals()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files need not be valid UTF-8
    try:
        with _signals, warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        raise _stopped(stop) from None
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise typer.Exit(_PIPE) from None
    except (typer.Exit, typer.Abort):
        raise
    except (OSError, ValueError, ImportError, MemoryError, RuntimeError) as error:
        if _signals.received is not None:  # an import that is interrupted fails in other words
            raise _stopped(KeyboardInterrupt()) from None
        with contextlib.suppress(ValueError):  # what has been closed
            try:
                sys.stdout.flush()
            except OSError:  # a full disk, which would be told of once more
                _abandon(sys.stdout)
        say(f"Error: {_sentence(error)}")
        raise typer.Exit(FAILED) from error


def _stopped(stop: KeyboardInterrupt) -> typer.Exit:
    number = signal.Signals(_signals.received or signal.SIGINT)
    _abandon(sys.stdout)  # what could not be written yet, to a pipe that nobody reads
    say(f"Interrupted by {number.name}{''.join(f' {part}' for part in stop.args)}.")
    return typer.Exit(128 + number)


def _abandon(stream: TextIO) -> None:
    """Let go of what a stream still holds, so that Python's end does not try to write it."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{os.fsdecode(error.filename)!r}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"there is not enough memory ({error})" if str(error) else "there is not enough memory"
    else:
        text = str(error) or type(error).__name__
    text = shown(" ".join(text.split()))
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    say(f"Warning: {_sentence(message if isinstance(message, Warning) else category(message))}")


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """Give a folder for as long as it is needed."""
    with uninterrupted():  # between making the folder and knowing of it
        made = tempfile.TemporaryDirectory(prefix="soundclf-", ignore_cleanup_errors=True)
    with made as folder:
        check_stopped()
        yield folder


@contextlib.contextmanager
def without_greetings() -> Iterator[None]:
    """Keep off standard error what libraries in C++ write to it when they are loaded, unless that fails."""
    with uninterrupted():  # its trial of the folder would leave a file behind
        tempfile.gettempdir()
    check_stopped()
    with tempfile.TemporaryFile() as greetings:
        kept = os.dup(2)
        os.dup2(greetings.fileno(), 2)
        try:
            yield
        except BaseException:
            greetings.seek(0)
            os.write(kept, greetings.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def on_terminal() -> bool:
    """Tell whether somebody watches the messages."""
    return sys.stderr.isatty()


def say(text: str) -> None:
    """Tell the user something: above progress bars, and beside the data."""
    with _beside_bars(sys.stderr):
        typer.echo(text, err=True)


def out(line: str) -> None:
    """Give out a line of data at once, and as a whole."""
    with uninterrupted(), _beside_bars(sys.stdout):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def wait_for_reader() -> None:
    """Wait until the pipe that is written to takes a line, which can be interrupted, as writing cannot."""
    if os.name != "nt":
        with contextlib.suppress(OSError, ValueError):  # where output is not a file of the system's
            select.select([], [sys.stdout], [])


def _beside_bars(stream: TextIO) -> contextlib.AbstractContextManager[Any]:
    tqdm = sys.modules.get("tqdm")
    if tqdm is None or not stream.isatty():
        return contextlib.nullcontext()
    return tqdm.tqdm.external_write_mode(file=stream)

"""The command as a process: exit codes, signals, pipes, and one sentence for whatever goes wrong."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from .._utils.text import escape_controls

__all__ = [
    "FAILED",
    "PARTLY",
    "Commands",
    "defer_signals",
    "is_terminal",
    "make_scratch_directory",
    "print_data",
    "print_message",
    "raise_if_stopped",
    "silence_native_stderr",
    "wait_for_reader",
]

FAILED = 1
PARTLY = 3  # finished, but some files could not be used
_PIPE = 128 + 13  # what a shell says of a process that SIGPIPE ended

_LONGEST = 2000  # characters of a message


class Commands(TyperGroup):
    """The commands, each run so that it ends as scripts expect."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Take the arguments apart, or show the help.

        Parameters
        ----------
        *args, **kwargs
            As for typer.core.TyperGroup.

        Returns
        -------
        typer.Context
            What is run, and with what.
        """
        with _guarded():
            return super().make_context(*args, **kwargs)

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

    While it is deferring, the first one waits for the next call of check_stopped; while it is tidying up, all do.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferring = False
        self.tidying = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receive)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.received is not None and kind is not None:
            self.tidying = True  # until that has been told
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def end(self) -> None:
        """Let whatever comes now end the process at once: nothing is left to lose."""
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        waits = self.tidying or (self.deferring and self.received is None)
        self.received = number
        if not waits:
            raise KeyboardInterrupt


_signals = _Signals()


def raise_if_stopped() -> None:
    """Raise KeyboardInterrupt if the process has been asked to stop, whatever has become of the first one."""
    if _signals.received is not None:
        raise KeyboardInterrupt


@contextlib.contextmanager
def defer_signals() -> Iterator[None]:
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
    _prepare_streams()
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
        print_message(f"Error: {_sentence(error)}")
        raise typer.Exit(FAILED) from error


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed, so that the next file opened would get its number
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - to the process's end
    if hasattr(sys.stdout, "reconfigure"):
        codecs.register_error("soundclf", _as_bytes_or_escaped)
        sys.stdout.reconfigure(errors="soundclf")


def _as_bytes_or_escaped(error: UnicodeError) -> tuple[str | bytes, int]:
    """Give names of files that are not valid UTF-8 as they are, and escape what the encoding lacks."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _stopped(stop: KeyboardInterrupt) -> typer.Exit:
    number = signal.Signals(_signals.received or signal.SIGINT)
    _abandon(sys.stdout)  # what could not be written yet, to a pipe that nobody reads
    print_message(f"Interrupted by {number.name}{''.join(f' {part}' for part in stop.args)}.")
    _signals.end()
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
    text = escape_controls(" ".join(text.split()))
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    print_message(f"Warning: {_sentence(message if isinstance(message, Warning) else category(message))}")


@contextlib.contextmanager
def make_scratch_directory() -> Iterator[str]:
    """Give a folder for as long as it is needed."""
    with defer_signals():  # between making the folder and knowing of it
        made = tempfile.TemporaryDirectory(prefix="soundclf-", ignore_cleanup_errors=True)
    try:
        raise_if_stopped()
        yield made.name
    finally:
        _signals.tidying = True  # for who presses Ctrl-C more than once
        made.cleanup()
        _signals.tidying = False


@contextlib.contextmanager
def silence_native_stderr() -> Iterator[None]:
    """Keep off standard error what libraries in C++ write to it when they are loaded, unless that fails."""
    with defer_signals():  # its trial of the folder would leave a file behind
        tempfile.gettempdir()
    raise_if_stopped()
    with tempfile.TemporaryFile() as greetings:
        kept = os.dup(2)
        os.dup2(greetings.fileno(), 2)
        try:
            yield
        except BaseException:
            if _signals.received is None:
                greetings.seek(0)
                os.write(kept, greetings.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def is_terminal() -> bool:
    """Tell whether somebody watches the messages."""
    return sys.stderr.isatty()


def print_message(text: str) -> None:
    """Tell the user something: above progress bars, and beside the data."""
    with _beside_bars(sys.stderr):
        typer.echo(text, err=True)


def print_data(line: str) -> None:
    """Give out a line of data at once, and as a whole."""
    wait_for_reader()
    with defer_signals(), _beside_bars(sys.stdout):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if not _signals.deferring:
        raise_if_stopped()


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

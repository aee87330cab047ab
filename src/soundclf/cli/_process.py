"""The command as a process: exit codes, signals, pipes, terminals and error messages."""

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
_PIPE = 128 + 13  # the exit code that a shell reports for SIGPIPE

_MAX_LENGTH = 2000  # characters of a message


class Commands(TyperGroup):
    """Group of commands with the exit codes and error messages that scripts expect."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Parse the arguments.

        Parameters
        ----------
        *args, **kwargs
            As for typer.core.TyperGroup.

        Returns
        -------
        typer.Context
            Context of the command.
        """
        with _handle_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run a command.

        Parameters
        ----------
        ctx : typer.Context
            Context of the command.

        Returns
        -------
        object
            Return value of the command.
        """
        with _handle_errors():
            return super().invoke(ctx)


class _Signals:
    """Converts SIGINT and SIGTERM to KeyboardInterrupt and records them, because other libraries swallow exceptions.

    While ``deferring``, the first signal waits for the next call of raise_if_stopped; while ``cleaning``, all do.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferring = False
        self.cleaning = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._receive)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.received is not None and kind is not None:
            self.cleaning = True  # until the message is printed
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def restore_defaults(self) -> None:
        """Restore the default handlers: nothing is left to clean up."""
        for number in self._before:
            signal.signal(number, signal.SIG_DFL)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        wait = self.cleaning or (self.deferring and self.received is None)
        self.received = number
        if not wait:
            raise KeyboardInterrupt


_signals = _Signals()


def raise_if_stopped() -> None:
    """Raise KeyboardInterrupt if a signal was received, even if an earlier KeyboardInterrupt was swallowed."""
    if _signals.received is not None:
        raise KeyboardInterrupt


@contextlib.contextmanager
def defer_signals() -> Iterator[None]:
    """Delay the first signal until raise_if_stopped is called; a second one interrupts at once."""
    previous, _signals.deferring = _signals.deferring, True
    try:
        yield
    finally:
        _signals.deferring = previous


@contextlib.contextmanager
def _handle_errors() -> Iterator[None]:
    global _signals
    _signals = _Signals()
    _prepare_streams()
    try:
        with _signals, warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
            sys.stdout.flush()
    except KeyboardInterrupt as stop:
        raise _make_exit(stop) from None
    except BrokenPipeError:
        _discard_output(sys.stdout)
        raise typer.Exit(_PIPE) from None
    except (typer.Exit, typer.Abort):
        raise
    except (OSError, ValueError, ImportError, MemoryError, RuntimeError) as error:
        if _signals.received is not None:  # an interrupted import fails with another exception
            raise _make_exit(KeyboardInterrupt()) from None
        with contextlib.suppress(ValueError):  # a closed stream
            try:
                sys.stdout.flush()
            except OSError:  # a full disk, which Python would report again at exit
                _discard_output(sys.stdout)
        print_message(f"Error: {_format_error(error)}")
        raise typer.Exit(FAILED) from error


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed: the next file opened would get its descriptor
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends
    if hasattr(sys.stdout, "reconfigure"):
        codecs.register_error("soundclf", _encode_or_escape)
        sys.stdout.reconfigure(errors="soundclf")


def _encode_or_escape(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write file names that are not valid UTF-8 as their bytes, and escape what the encoding lacks."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


def _make_exit(stop: KeyboardInterrupt) -> typer.Exit:
    number = signal.Signals(_signals.received or signal.SIGINT)
    _discard_output(sys.stdout)  # buffered output for a pipe that is not read
    print_message(f"Interrupted by {number.name}{''.join(f' {part}' for part in stop.args)}.")
    _signals.restore_defaults()
    return typer.Exit(128 + number)


def _discard_output(stream: TextIO) -> None:
    """Discard the buffered output of a stream, so that Python does not write it at exit."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def _format_error(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        text = error.strerror if error.filename is None else f"{os.fsdecode(error.filename)!r}: {error.strerror}"
    elif isinstance(error, MemoryError):
        text = f"there is not enough memory ({error})" if str(error) else "there is not enough memory"
    else:
        text = str(error) or type(error).__name__
    text = escape_controls(" ".join(text.split()))
    text = text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 1]}…"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _show_warning(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    print_message(f"Warning: {_format_error(message if isinstance(message, Warning) else category(message))}")


@contextlib.contextmanager
def make_scratch_directory() -> Iterator[str]:
    """Yield a temporary folder."""
    with defer_signals():  # between making the folder and the finally block
        folder = tempfile.TemporaryDirectory(prefix="soundclf-", ignore_cleanup_errors=True)
    try:
        raise_if_stopped()
        yield folder.name
    finally:
        _signals.cleaning = True  # Ctrl-C pressed repeatedly does not interrupt it
        folder.cleanup()
        _signals.cleaning = False


@contextlib.contextmanager
def silence_native_stderr() -> Iterator[None]:
    """Suppress what C++ libraries write to standard error; show it if an exception is raised."""
    with defer_signals():  # an interrupt would leave its test file behind
        tempfile.gettempdir()
    raise_if_stopped()
    with tempfile.TemporaryFile() as messages:
        stderr = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            if _signals.received is None:
                messages.seek(0)
                os.write(stderr, messages.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def is_terminal() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr.isatty()


def print_message(text: str) -> None:
    """Print a message to standard error, above progress bars."""
    with _above_progress_bars(sys.stderr):
        typer.echo(text, err=True)


def print_data(line: str) -> None:
    """Write a whole line to standard output and flush it."""
    wait_for_reader()
    with defer_signals(), _above_progress_bars(sys.stdout):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if not _signals.deferring:
        raise_if_stopped()


def wait_for_reader() -> None:
    """Wait until standard output accepts a line: unlike a write, the wait can be interrupted."""
    if os.name != "nt":
        with contextlib.suppress(OSError, ValueError):  # standard output without a descriptor
            select.select([], [sys.stdout], [])


def _above_progress_bars(stream: TextIO) -> contextlib.AbstractContextManager[Any]:
    clear_bars = getattr(getattr(sys.modules.get("tqdm"), "tqdm", None), "external_write_mode", None)
    if clear_bars is None or not stream.isatty():
        return contextlib.nullcontext()
    mode: contextlib.AbstractContextManager[Any] = clear_bars(file=stream)
    return mode

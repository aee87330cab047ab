"""Where to keep tens of thousands of feature rows: stores that could stand behind ``memory=``, measured.

Every store gets 20,000 rows of 40 float32 under 32-byte keys, one at a time and each of them safe once it is written,
then gives all of them back in another order, from a fresh start. diskcache and lmdb are measured where they are
installed::

    python -m benchmarks.stores
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np

N_ROWS, N_FEATURES = 20_000, 40
Write = Callable[[bytes, np.ndarray], object]
Read = Callable[[bytes], np.ndarray]


def sqlite(folder: Path) -> Iterator[tuple[Write, Read]]:
    with closing(sqlite3.connect(folder / "rows.sqlite", isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, row BLOB) WITHOUT ROWID")
        yield (
            lambda key, row: database.execute("INSERT OR IGNORE INTO rows VALUES (?, ?)", (key, row.tobytes())),
            lambda key: np.frombuffer(
                database.execute("SELECT row FROM rows WHERE key = ?", (key,)).fetchone()[0], np.float32
            ),
        )


def file_per_row(folder: Path) -> Iterator[tuple[Write, Read]]:
    def write(key: bytes, row: np.ndarray) -> None:
        path = folder / key.hex()[:2] / key.hex()
        path.parent.mkdir(exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(row.tobytes())
        fresh.replace(path)

    yield write, lambda key: np.frombuffer((folder / key.hex()[:2] / key.hex()).read_bytes(), np.float32)


def joblib_memory(folder: Path) -> Iterator[tuple[Write, Read]]:
    rows: dict[bytes, np.ndarray] = {}
    row_of = joblib.Memory(folder, verbose=0).cache(lambda key: rows[key])

    def write(key: bytes, row: np.ndarray) -> None:
        rows[key] = row
        row_of(key)

    yield write, row_of


def diskcache(folder: Path) -> Iterator[tuple[Write, Read]]:
    from diskcache import Cache

    with Cache(folder) as cache:
        yield (
            lambda key, row: cache.set(key, row.tobytes()),
            lambda key: np.frombuffer(cache[key], np.float32),
        )


def lmdb(folder: Path) -> Iterator[tuple[Write, Read]]:
    from lmdb import open as open_map

    with open_map(str(folder), map_size=1 << 30, sync=False) as environment:

        def write(key: bytes, row: np.ndarray) -> None:
            with environment.begin(write=True) as transaction:
                transaction.put(key, row.tobytes())

        def read(key: bytes) -> np.ndarray:
            with environment.begin() as transaction:
                return np.frombuffer(transaction.get(key), np.float32)

        yield write, read


def main() -> None:
    random = np.random.default_rng(0)
    keys = [random.bytes(32) for _ in range(N_ROWS)]
    rows = random.normal(size=(N_ROWS, N_FEATURES)).astype(np.float32)
    order = random.permutation(N_ROWS)
    print("| store | write, µs a row | read, µs a row | on disk, bytes a row | files |\n|---|---|---|---|---|")
    for store in (sqlite, file_per_row, joblib_memory, diskcache, lmdb):
        if store in (diskcache, lmdb) and find_spec(store.__name__) is None:
            print(f"| {store.__name__} | not installed | | | |")
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            seconds = []
            for phase in range(2):
                opened = store(folder)
                write, read = next(opened)
                start = time.perf_counter()
                if phase == 0:
                    for key, row in zip(keys, rows, strict=True):
                        write(key, row)
                else:
                    for i in order:
                        np.testing.assert_array_equal(read(keys[i]), rows[i]) if i < 100 else read(keys[i])
                seconds.append(time.perf_counter() - start)
                next(opened, None)
            files = [path for path in folder.rglob("*") if path.is_file()]
            size = sum(path.stat().st_blocks * 512 for path in files)
            figures = " | ".join(f"{1e6 * value / N_ROWS:.1f}" for value in seconds)
            print(f"| {store.__name__} | {figures} | {size / N_ROWS:.0f} | {len(files)} |", flush=True)


if __name__ == "__main__":
    main()

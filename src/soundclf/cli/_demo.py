"""The whole workflow on generated sounds: ``soundclf demo``."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ._process import make_scratch_directory, print_data, silence_native_stderr

__all__ = ["demo"]

# Run in a new process: load the model, classify, and print the time.
_PREDICT = """
import sys, time
start = time.perf_counter()
from pathlib import Path
import joblib
clf = joblib.load(sys.argv[1])
probabilities = clf.predict_proba(sys.argv[2:])
seconds = time.perf_counter() - start
for path, row in zip(sys.argv[2:], probabilities):
    print(f"    {Path(path).parent.name:<8} -> {clf.classes_[row.argmax()]:<8} {row.max():6.1%}")
print(f"    {seconds:.1f} s from start to predictions; TensorFlow imported: {'tensorflow' in sys.modules}")
"""


def demo(
    n_samples: Annotated[int, typer.Option(min=120, help="Number of generated clips.")] = 240,
    random_state: Annotated[int, typer.Option(min=0, max=2**32 - 2, help="Seed of the sounds and of training.")] = 0,
) -> None:
    """Run the whole workflow on generated sounds.

    Works in a temporary folder: writes labeled WAV files, extracts features, cross-validates by recording, fits and
    saves a model, then loads it in a new process and classifies new files.

    Examples
    --------
    soundclf demo --random-state 1
    """
    with make_scratch_directory() as folder:
        _run(Path(folder), n_samples, random_state)


def _run(folder: Path, n_samples: int, random_state: int) -> None:
    start = time.perf_counter()

    def log(text: str) -> None:
        print_data(f"[{time.perf_counter() - start:5.1f} s] {text}")

    log("Loading scikit-learn and TensorFlow")
    import joblib
    from sklearn.metrics import classification_report
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    from ..classifiers import DenseAudioClassifier, import_backend
    from ..datasets import make_sounds
    from ..transformers import MFCCMeanTransformer

    with silence_native_stderr():
        import_backend()  # TensorFlow writes start-up messages

    sounds = make_sounds(n_samples, directory=folder / "sounds", random_state=random_state)
    n_files, n_recordings = len(sounds.data), len(set(sounds.groups))
    log(f"{n_files} WAV files of {len(sounds.target_names)} classes, cut from {n_recordings} generated recordings")

    transformer = MFCCMeanTransformer(n_jobs=-1)
    features = transformer.transform(sounds.data)
    log(f"Features: {features.shape[1]} mean MFCCs of each clip")

    classifier = DenseAudioClassifier(random_state=random_state)
    splits = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=random_state)
    predicted = cross_val_predict(classifier, features, sounds.target, groups=sounds.groups, cv=splits)
    log("5-fold cross-validation, with all clips of a recording in one fold:")
    print_data(classification_report(sounds.target, predicted, digits=3))

    clf = make_pipeline(transformer, classifier).fit(sounds.data, sounds.target)
    model = folder / "sounds.joblib"
    joblib.dump(clf, model)
    log(f"Fitted on all clips and saved: {model.stat().st_size / 1e6:.1f} MB")

    new = make_sounds(len(sounds.target_names), directory=folder / "new", random_state=random_state + 1)
    log("A new process loads the model and classifies a new file of each class:")
    command = [sys.executable, "-P", "-c", _PREDICT, model, *new.data]  # -P: import nothing from the working folder
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode:
        raise RuntimeError(f"The new process failed: {result.stderr.strip().rpartition(chr(10))[2]}")
    print_data(result.stdout.rstrip("\n"))
    log("Done. The README shows these steps with your own recordings.")

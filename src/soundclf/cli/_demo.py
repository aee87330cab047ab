"""The main job on generated sounds, as a command."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ._process import make_scratch_directory, print_data, silence_native_stderr

__all__ = ["demo"]

# What the demo runs in a fresh process: load, classify, and tell what that took.
_ANSWER = """
import sys, time
start = time.perf_counter()
from pathlib import Path
import joblib
clf = joblib.load(sys.argv[1])
probabilities = clf.predict_proba(sys.argv[2:])
seconds = time.perf_counter() - start
for path, row in zip(sys.argv[2:], probabilities):
    print(f"    {Path(path).parent.name:<8} -> {clf.classes_[row.argmax()]:<8} {row.max():6.1%}")
print(f"    {seconds:.1f} s from nothing to the answers; TensorFlow imported: {'tensorflow' in sys.modules}")
"""


def demo(
    n_samples: Annotated[int, typer.Option(min=120, help="Number of generated clips.")] = 240,
    random_state: Annotated[int, typer.Option(min=0, max=2**32 - 2, help="Seed of sounds and training.")] = 0,
) -> None:
    """Run the main job on generated sounds, in a temporary folder.

    Writes labelled WAV files, extracts features, cross-validates by recording, fits, saves the model, and lets a fresh
    process load it and classify new files.

    Examples
    --------
    soundclf demo --random-state 1
    """
    with make_scratch_directory() as folder:
        _demo(Path(folder), n_samples, random_state)


def _demo(folder: Path, n_samples: int, random_state: int) -> None:
    start = time.perf_counter()

    def say(text: str) -> None:
        print_data(f"[{time.perf_counter() - start:5.1f} s] {text}")

    say("Loading scikit-learn and TensorFlow")
    import joblib
    from sklearn.metrics import classification_report
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    from ..classifiers import DenseAudioClassifier, import_backend
    from ..datasets import make_sounds
    from ..transformers import MFCCMeanTransformer

    with silence_native_stderr():
        import_backend()  # imports TensorFlow, which greets at length

    sounds = make_sounds(n_samples, directory=folder / "sounds", random_state=random_state)
    n_files, n_recordings = len(sounds.data), len(set(sounds.groups))
    say(f"{n_files} WAV files of {len(sounds.target_names)} classes, cut from {n_recordings} generated recordings")

    transformer = MFCCMeanTransformer(n_jobs=-1)
    features = transformer.transform(sounds.data)
    say(f"Features: {features.shape[1]} mean MFCCs of each clip")

    classifier = DenseAudioClassifier(random_state=random_state)
    splits = StratifiedGroupKFold(n_splits=5, shuffle=True, random_state=random_state)
    predicted = cross_val_predict(classifier, features, sounds.target, groups=sounds.groups, cv=splits)
    say("Cross-validation in 5 folds, each recording wholly in one of them:")
    print_data(classification_report(sounds.target, predicted, digits=3))

    clf = make_pipeline(transformer, classifier).fit(sounds.data, sounds.target)
    model = folder / "sounds.joblib"
    joblib.dump(clf, model)
    say(f"Fitted on all clips and saved: {model.stat().st_size / 1e6:.1f} MB")

    new = make_sounds(len(sounds.target_names), directory=folder / "new", random_state=random_state + 1)
    say("A fresh process loads the model and classifies a new file of each class:")
    command = [sys.executable, "-P", "-c", _ANSWER, model, *new.data]  # -P: what is in the working folder stays there
    answer = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if answer.returncode:
        raise RuntimeError(f"The fresh process failed: {answer.stderr.strip().rpartition(chr(10))[2]}")
    print_data(answer.stdout.rstrip("\n"))
    say("Done. Your turn: the README shows these steps on your own recordings.")

"""Write the model files of this folder: one of every estimator and preset, small, and what they predict.

Run it once for a new format, in an environment with that version of soundclf, and keep what it writes for good:

    python tests/persistence/models/write_models.py format-2

The folder then holds a ``.skops`` file for each model and ``expected.npz``, the probabilities (or features) of
``make_clips()``. ``format-1`` was written by the last commit before the format number was raised.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

import soundclf
from soundclf import (
    ConvAudioClassifier,
    DenseAudioClassifier,
    LogMelTransformer,
    MFCCMeanTransformer,
    MFCCStatisticsTransformer,
    make_classifier,
)

SR = 22050


def make_clips() -> tuple[list[np.ndarray], np.ndarray]:
    """Make twelve half-second clips of three classes: tones, noise, and tones that rise."""
    rng = np.random.default_rng(0)
    time = np.arange(SR // 2) / SR
    clips, labels = [], []
    for i in range(12):
        label = ("tone", "noise", "chirp")[i % 3]
        frequency = 300 * (1 + i)
        noise = rng.standard_normal(len(time))
        sound = {
            "tone": np.sin(2 * np.pi * frequency * time),
            "noise": noise / 4,
            "chirp": np.sin(2 * np.pi * frequency * (time + 2 * time**2)),
        }[label]
        clips.append((0.5 * sound + 0.01 * noise).astype(np.float32))
        labels.append(label)
    return clips, np.array(labels)


def make_models() -> dict[str, object]:
    """Make one of every estimator and preset, not fitted, each as small as it can be."""
    dense = {"epochs": 3, "n_networks": 2, "random_state": 0}
    fast, balanced, accurate = (make_classifier(name, random_state=0) for name in ("fast", "balanced", "accurate"))
    small = {"hidden_layer_sizes": (8,), "epochs": 3}
    fast[-1].set_params(**small)
    for voting in (balanced[-1], accurate.named_estimators["statistics"][-1]):
        voting.set_params(trees__n_estimators=4, **{f"networks__{name}": value for name, value in small.items()})
    for pipeline in (balanced, accurate.named_estimators["statistics"]):
        pipeline[0].set_params(
            n_mfcc=5, n_mels=16, sr=16000, descriptors=("log_mel", "contrast"), statistics=("mean", "std")
        )
    spectra = accurate.named_estimators["spectra"]
    spectra[0].set_params(n_mels=16, duration=0.5)
    spectra[1].set_params(channels=(4,), epochs=2)
    return {
        "mfcc-mean": MFCCMeanTransformer(13, n_mels=40),
        "mfcc-statistics": MFCCStatisticsTransformer(13, descriptors=("log_mel", "contrast", "centroid"), deltas=2),
        "log-mel": LogMelTransformer(0.5, n_mels=16, hop_length=1024),
        "dense": make_pipeline(MFCCMeanTransformer(13), DenseAudioClassifier((8, 6), activation="gelu", **dense)),
        "dense-no-hidden": make_pipeline(MFCCMeanTransformer(13), DenseAudioClassifier((), normalize=False, **dense)),
        "conv": make_pipeline(
            LogMelTransformer(0.5, n_mels=16, hop_length=1024),
            ConvAudioClassifier((4, 5), epochs=2, n_networks=2, random_state=0),
        ),
        "fast": fast,
        "balanced": balanced,
        "accurate": accurate,
    }


def main(folder: Path) -> None:
    """Fit, save and record."""
    folder.mkdir(exist_ok=True)
    clips, labels = make_clips()
    expected = {}
    for name, model in make_models().items():
        model.fit(clips, labels)
        expected[name] = model.predict_proba(clips) if hasattr(model, "predict_proba") else model.transform(clips)
        soundclf.save(model, folder / f"{name}.skops")
    np.savez_compressed(folder / "expected.npz", **expected)


if __name__ == "__main__":
    main(Path(__file__).parent / sys.argv[1])

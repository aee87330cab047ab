"""
A long recording and its timeline
=================================

Apply a clip classifier to a long recording with a sliding window.
"""

# %%
# A recording
# -----------
# A WAV file with half a minute of generated sounds in a known order. The classifier is
# trained on other recordings.

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from soundclf.datasets import make_sounds

order = ["rain", "bird", "engine", "siren", "rain", "clock"]
classes = sorted(set(order))
unseen = make_sounds(len(classes), classes=classes, duration=5.0, random_state=1)
pieces = dict(zip(unseen.target, unseen.data, strict=True))

home = tempfile.TemporaryDirectory()
path = f"{home.name}/garden.wav"
soundfile.write(path, np.concatenate([pieces[label] for label in order]), unseen.sr)

# %%
# A classifier
# ------------
# It is trained on clips of 1.5 s.

from soundclf import make_classifier

sounds = make_sounds(240, classes=classes, random_state=0)
clf = make_classifier("fast", n_jobs=-1, random_state=0).fit(sounds.data, sounds.target)

# %%
# The timeline
# ------------
# Windows have the length of the training clips and start every 0.25 s. The figure shows
# their probabilities below the spectrogram, and the merged segments below each row.

from soundclf import predict_timeline
from soundclf.plotting import TimelineDisplay

timeline = predict_timeline(clf, path, window=1.5, hop=0.25)
segments = timeline.segments(min_duration=0.5)
display = TimelineDisplay.from_timeline(timeline, segments=segments).plot()

# %%
# The segments as text, followed by the true sequence:

for start, end, label, probability in segments:
    print(f"{start:5.2f} to {end:5.2f} s  {label:<7} {probability:4.0%}")
print(
    "true sequence:", ", ".join(f"{5 * i} s {label}" for i, label in enumerate(order))
)

# %%
# Export for Audacity (Praat and CSV are also supported):

timeline.export(f"{home.name}/garden.txt", segments)
print(Path(home.name, "garden.txt").read_text())

# %%
# Live
# ----
# The same predictions can be made from blocks of samples during recording. In this
# example, the blocks are read from the file.

from soundclf import predict_stream

label = None
with soundfile.SoundFile(path) as file:
    for window in predict_stream(
        clf, file.blocks(2205), sr=file.samplerate, window=1.5, hop=0.5
    ):
        if window.label != label:
            label = window.label
            print(f"{window.end:5.2f} s: now {label}")

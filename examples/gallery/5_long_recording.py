"""
A long recording and its timeline
=================================

A classifier of clips, moved over a recording, labels it from end to end.
"""

# %%
# A recording
# -----------
# Half a minute of generated sounds of known order, one after the other, written as a
# WAV file. None of these recordings is among those that the classifier is trained on.

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from soundclf.datasets import make_sounds

order = ["rain", "bird", "engine", "siren", "rain", "clock"]
classes = sorted(set(order))
unheard = make_sounds(len(classes), classes=classes, duration=5.0, random_state=1)
pieces = dict(zip(unheard.target, unheard.data, strict=True))

home = tempfile.TemporaryDirectory()
path = f"{home.name}/garden.wav"
soundfile.write(path, np.concatenate([pieces[label] for label in order]), unheard.sr)

# %%
# A classifier
# ------------
# It learns from clips of 1.5 s.

from soundclf import make_classifier

sounds = make_sounds(240, classes=classes, random_state=0)
clf = make_classifier("fast", n_jobs=-1, random_state=0).fit(sounds.data, sounds.target)

# %%
# The timeline
# ------------
# Windows as long as the clips of training, every quarter of a second; their
# probabilities, under the spectrogram of the recording; and below each row the segments
# that they are merged into.

from soundclf import predict_timeline
from soundclf.plotting import TimelineDisplay

timeline = predict_timeline(clf, path, window=1.5, hop=0.25)
segments = timeline.segments(min_duration=0.5)
display = TimelineDisplay.from_timeline(timeline, segments=segments).plot()

# %%
# The segments as text, beside what was really there every five seconds:

for start, end, label, probability in segments:
    print(f"{start:5.2f} to {end:5.2f} s  {label:<7} {probability:4.0%}")
print("in truth", ", ".join(f"{5 * i} s {label}" for i, label in enumerate(order)))

# %%
# For Audacity, Praat or a table:

timeline.export(f"{home.name}/garden.txt", segments)
print(Path(home.name, "garden.txt").read_text())

# %%
# Live
# ----
# The same windows come from blocks of samples while these are recorded. Here the blocks
# come from the file.

from soundclf import predict_stream

label = None
with soundfile.SoundFile(path) as file:
    for heard in predict_stream(
        clf, file.blocks(2205), sr=file.samplerate, window=1.5, hop=0.5
    ):
        if heard.label != label:
            label = heard.label
            print(f"{heard.end:5.2f} s: now {label}")

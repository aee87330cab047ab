"""
What the features look like
===========================

A classifier works on numbers, not on sounds. This example shows the features of four
generated classes.
"""

# %%
# A clip
# ------
# Its waveform, its mel spectrogram, and the MFCCs of the same frames, which describe
# the shape of the spectrum from coarse to fine.

import matplotlib.pyplot as plt

from soundclf.datasets import make_sounds
from soundclf.plotting import MFCCDisplay, SpectrogramDisplay, WaveformDisplay

sounds = make_sounds(120, classes=["bird", "clock", "engine", "siren"], random_state=0)
siren = sounds.data[-1]

figure, axes = plt.subplots(3, sharex=True, figsize=(8, 7), layout="constrained")
WaveformDisplay.from_clip(siren).plot(ax=axes[0])
SpectrogramDisplay.from_clip(siren).plot(ax=axes[1])
MFCCDisplay.from_clip(siren).plot(ax=axes[2])
for axis in axes:
    axis.label_outer()

# %%
# Four classes
# ------------
# Their spectrograms are easy to distinguish by eye.

figure, axes = plt.subplots(
    2, 2, sharex=True, sharey=True, figsize=(8, 5), layout="constrained"
)
for axis, label in zip(axes.flat, sounds.target_names, strict=True):
    clip = sounds.data[sounds.target.tolist().index(label)]
    SpectrogramDisplay.from_clip(clip).plot(ax=axis, colorbar=False)
    axis.set_title(label)
    axis.label_outer()

# %%
# Means over time
# ---------------
# Averaged over time, each clip becomes 40 numbers. The figure shows one standardized
# column per clip, grouped by class. Within a class, groups of three columns look alike:
# these clips were cut from the same recording.

from soundclf import MFCCMeanTransformer

X = MFCCMeanTransformer().transform(sounds.data)
standardized = (X - X.mean(axis=0)) / X.std(axis=0)

figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
image = ax.imshow(
    standardized.T, aspect="auto", origin="lower", cmap="RdBu_r", vmin=-3, vmax=3
)
ax.set(xlabel="Clip", ylabel="Mean MFCC")
ax.set_xticks(range(15, 120, 30), sounds.target_names)
ax.vlines([29.5, 59.5, 89.5], -0.5, 39.5, color="black", linewidth=1)
figure.colorbar(image, label="Standard deviations", pad=0.02)

# %%
# Two directions
# --------------
# The two directions in which linear discriminant analysis separates the classes best:

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

points = LinearDiscriminantAnalysis(n_components=2).fit_transform(X, sounds.target)

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for label, marker in zip(sounds.target_names, "os^v", strict=True):
    of_class = sounds.target == label
    ax.scatter(*points[of_class].T, marker=marker, label=label, alpha=0.7)
ax.set(xlabel="First direction", ylabel="Second direction")
legend = ax.legend()

# sphinx_gallery_thumbnail_number = 2

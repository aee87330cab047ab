"""
Honest evaluation
=================

Clips of one recording are more similar to each other than to the rest of their class.
If a split puts them in both training and test data, the score measures how well the
classifier recognizes recordings, not sounds.
"""

# %%
# Six clips from each of 48 generated recordings:

from soundclf import MFCCMeanTransformer
from soundclf.datasets import make_sounds

sounds = make_sounds(288, clips_per_recording=6, random_state=0)
sounds.data = MFCCMeanTransformer(n_jobs=-1).transform(sounds.data)  # computed once

# %%
# Grouped folds
# -------------
# If the data set contains groups, they are used by default. The intervals come from a
# bootstrap over recordings, not clips.

from soundclf import DenseAudioClassifier
from soundclf.evaluation import cross_validate_clips

clf = DenseAudioClassifier(n_networks=2, random_state=0)
honest = cross_validate_clips(clf, sounds)
honest

# %%
# Random folds
# ------------
# The same classifier and clips, with folds that ignore recordings. The evaluation
# issues a warning.

import warnings

from sklearn.model_selection import StratifiedKFold

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    random = cross_validate_clips(
        clf, sounds, cv=StratifiedKFold(5, shuffle=True, random_state=0)
    )
print(caught[0].message)

# %%
# Side by side
# ------------
# The classifier is the same; only the split differs.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, result in {"random folds": random, "grouped folds": honest}.items():
    low, high = result.intervals["accuracy"]
    accuracy = result.pooled["accuracy"]
    ax.errorbar(
        accuracy,
        name,
        xerr=[[accuracy - low], [high - accuracy]],
        marker="o",
        capsize=4,
        color="#0072B2",
    )
    ax.annotate(
        f"{accuracy:.2f}",
        (accuracy, name),
        xytext=(0, 8),
        textcoords="offset points",
        ha="center",
    )
ax.set(
    xlabel="Accuracy, with 95 % intervals over recordings",
    xlim=(0, 1.05),
    ylim=(-0.6, 1.6),
)

# %%
# Confusion matrix
# ----------------

display = honest.plot_confusion_matrix()

# sphinx_gallery_thumbnail_number = 1

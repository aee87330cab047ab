"""
Honest evaluation
=================

Clips of one recording resemble each other more than they resemble the rest of their
class. If a split puts them on both sides, what is measured is whether recordings are
recognised, not whether sounds are classified.
"""

# %%
# Six clips from each of 48 generated recordings:

from soundclf import MFCCMeanTransformer
from soundclf.datasets import make_sounds

sounds = make_sounds(288, clips_per_recording=6, random_state=0)
sounds.data = MFCCMeanTransformer(n_jobs=-1).transform(
    sounds.data
)  # once for all that follows

# %%
# Folds that keep recordings whole
# --------------------------------
# The evaluation makes them by itself if it knows the recordings. The intervals come
# from drawing recordings, not clips, anew.

from soundclf import DenseAudioClassifier
from soundclf.evaluation import cross_validate_clips

clf = DenseAudioClassifier(n_networks=2, random_state=0)
honest = cross_validate_clips(clf, sounds)
honest

# %%
# Random folds
# ------------
# The same classifier on the same clips, split without regard to recordings. The
# evaluation warns of it.

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
# Nothing about the classifier has changed. Only the question has.

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 2.2), layout="constrained")
for name, result in {"random folds": random, "whole recordings": honest}.items():
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
# Who is taken for whom
# ---------------------

display = honest.plot_confusion_matrix()

# sphinx_gallery_thumbnail_number = 1

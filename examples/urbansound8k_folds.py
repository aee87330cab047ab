"""
The same experiment, honestly
=============================

UrbanSound8K's 8,732 slices were cut from 1,297 recordings. A random split puts slices of one recording on both sides;
the data set's ten official folds keep all but five recordings whole. The same two networks, judged both ways.

It needs ``UrbanSound8K/mfcc40_mean_kaiser_fast.npz`` below the folder that ``SOUNDCLF_DATA`` names; without it,
generated sounds take its place. With all features, the 22 fits take a few minutes.
"""

import os
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import PredefinedSplit, train_test_split
from sklearn.utils import Bunch

from soundclf import DenseAudioClassifier, LeakWarning, MFCCMeanTransformer
from soundclf.datasets import make_sounds
from soundclf.evaluation import compare, find_leaks

file = Path(os.environ.get("SOUNDCLF_DATA", "../shared/data")) / "UrbanSound8K" / "mfcc40_mean_kaiser_fast.npz"
if file.is_file():
    published = np.load(file, allow_pickle=False)
    X, y, groups, fold = (published[name] for name in ("X", "y", "fsID", "fold"))
else:
    sounds = make_sounds(480, clips_per_recording=6, random_state=0)
    X, y, groups = MFCCMeanTransformer(n_jobs=-1).transform(sounds.data), sounds.target, sounds.groups
    fold = np.unique(groups, return_inverse=True)[1] % 4
data = Bunch(data=X, target=y, groups=groups, cv=PredefinedSplit(fold))

networks = {
    "tutorial's network": DenseAudioClassifier(
        n_networks=1, dropout=0.5, normalize=False, average=False, epochs=200, random_state=0
    ),
    "our default": DenseAudioClassifier(random_state=0),
}

# %%
# The random split
# ----------------
# The evaluation warns, and says how much of the test set is touched.

split = [tuple(train_test_split(np.arange(len(y)), test_size=0.2, random_state=0))]
print(f"{len(find_leaks(groups, split))} recordings are on both sides of the random split")

# %%
# ``compare`` wants several splits, so for one of them each network is judged by itself.

from soundclf.evaluation import cross_validate_clips  # noqa: E402

rows = []
for name, network in networks.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", LeakWarning)
        result = cross_validate_clips(network, data, cv=split)
    rows.append((name, "random split", result))
print(next(str(warning.message) for warning in caught if warning.category is LeakWarning))

# %%
# The official folds
# ------------------
# Five recordings are in two folds each; the report mentions them.

comparison = compare(networks, data)
print(comparison)
rows += [(name, "official folds", result) for name, result in comparison.evaluations.items()]

# %%
# Side by side
# ------------
# Accuracies with 95 % intervals from a bootstrap over recordings. The interval of the random split is honest about
# chance, and not about the question it answers.

for name, splitting, result in rows:
    low, high = result.intervals["accuracy"]
    print(f"{name:<20} {splitting:<16} {result.pooled['accuracy']:.3f}  ({low:.3f} to {high:.3f})")

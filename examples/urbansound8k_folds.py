"""
UrbanSound8K with its official folds
====================================

UrbanSound8K's 8,732 slices were cut from 1,297 recordings. A random split separates slices of the same
recording; the ten official folds do so for only five recordings. This example evaluates two networks both ways.

It uses ``UrbanSound8K/mfcc40_mean_kaiser_fast.npz`` in the folder ``SOUNDCLF_DATA``, or generated sounds without it.
With all features, the 22 fits take a few minutes.
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
    "default": DenseAudioClassifier(random_state=0),
}

# %%
# The random split
# ----------------
# The evaluation issues a warning with the affected share of the test set.

split = [tuple(train_test_split(np.arange(len(y)), test_size=0.2, random_state=0))]
print(f"{len(find_leaks(groups, split))} recordings are on both sides of the random split")

# %%
# ``compare`` requires several splits, so each network is evaluated separately on a single one.

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
# Accuracies with 95 % intervals from a bootstrap over recordings. The interval of the random split accounts for
# chance, but not for the leak.

for name, split_name, result in rows:
    low, high = result.intervals["accuracy"]
    print(f"{name:<20} {split_name:<16} {result.pooled['accuracy']:.3f}  ({low:.3f} to {high:.3f})")

"""
ESC-10 with its official folds
==============================

Evaluate a classifier on 400 clips of ten classes, cut from 304 recordings and divided into five folds that do not
split recordings. Without ``SOUNDCLF_DATA``, generated sounds are used instead of ESC-10.
"""

import os
import tempfile
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from soundclf import DenseAudioClassifier, MFCCMeanTransformer
from soundclf.datasets import load_audio_folder, load_esc50, make_sounds
from soundclf.evaluation import compare, cross_validate_clips

folder = Path(os.environ.get("SOUNDCLF_DATA", "../shared/data")) / "esc10"
if folder.is_dir():
    sounds = load_esc50(folder)
else:
    home = tempfile.TemporaryDirectory()
    make_sounds(240, directory=home.name, random_state=0)
    sounds = load_audio_folder(home.name, group=r"(.+)-")
print(sounds.DESCR)

# %%
# Features are extracted once per clip, regardless of the number of folds.

clf = make_pipeline(MFCCMeanTransformer(n_jobs=-1), DenseAudioClassifier(random_state=0))
result = cross_validate_clips(clf, sounds)
print(result)

# %%
# The confusion matrix:

display = result.plot_confusion_matrix()

# %%
# Is the network better than a linear classifier? Compare both on the same folds, with a test that is corrected for
# overlapping training sets:

linear = make_pipeline(MFCCMeanTransformer(n_jobs=-1), StandardScaler(), LogisticRegression(max_iter=1000))
print(compare({"network": clf, "logistic regression": linear}, sounds))

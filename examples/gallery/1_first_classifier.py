"""
A first classifier
==================

From a folder of labeled recordings to the labels of new files.
"""

# %%
# Recordings
# ----------
# Generated sounds stand in for your own: one folder per class, three clips per
# recording.

import tempfile

from soundclf.datasets import load_audio_folder, make_sounds

home = tempfile.TemporaryDirectory()
make_sounds(240, directory=f"{home.name}/recordings", random_state=0)

sounds = load_audio_folder(f"{home.name}/recordings", group=r"(.+)-")
print(sounds.frame.drop(columns="path").sample(3, random_state=0))

# %%
# Clips and recordings of each class:

from soundclf.plotting import ClassBalanceDisplay

display = ClassBalanceDisplay.from_dataset(sounds).plot()

# %%
# Training
# --------
# A pipeline takes paths, computes mean MFCCs and trains four small networks on them.

from sklearn.pipeline import make_pipeline

from soundclf import DenseAudioClassifier, MFCCMeanTransformer

clf = make_pipeline(
    MFCCMeanTransformer(n_jobs=-1), DenseAudioClassifier(random_state=0)
)
clf.fit(sounds.data, sounds.target)

# %%
# Loss and accuracy on the training clips:

from soundclf.plotting import TrainingHistoryDisplay

display = TrainingHistoryDisplay.from_estimator(clf).plot()

# %%
# New files
# ---------
# These recordings were not in the training data. Accuracy on training clips says
# nothing about new ones; see :doc:`3_honest_evaluation` for how to measure it.

new = make_sounds(8, directory=f"{home.name}/new", random_state=1)
for label, predicted, row in zip(
    new.target, clf.predict(new.data), clf.predict_proba(new.data), strict=True
):
    print(f"{label:<8} -> {predicted:<8} {row.max():4.0%}")

# sphinx_gallery_thumbnail_number = 2

"""
Comparing presets
=================

Compare preset pipelines on the same folds by accuracy and training time.
"""

# %%
# The data are generated and have only six recordings per class. The example shows how
# to compare; see :doc:`../accuracy` for results on real sounds. The third preset,
# "accurate", also trains a convolutional network, which would take minutes. A linear
# classifier serves as the baseline.

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from soundclf import MFCCMeanTransformer, make_classifier
from soundclf.datasets import make_sounds

sounds = make_sounds(144, random_state=0)
linear = make_pipeline(MFCCMeanTransformer(), StandardScaler(), LogisticRegression())
classifiers = {
    "logistic regression": linear,
    "fast": make_classifier("fast", n_jobs=-1, random_state=0),
    "balanced": make_classifier("balanced", n_jobs=-1, random_state=0),
}

# %%
# All are evaluated on the same grouped folds. The test is corrected for overlapping
# training sets and for the three comparisons.

from soundclf.evaluation import compare

comparison = compare(classifiers, sounds)
comparison

# %%
# Accuracy and training time, including feature extraction:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for (name, result), marker in zip(comparison.evaluations.items(), "os^", strict=True):
    accuracy, (low, high) = result.pooled["accuracy"], result.intervals["accuracy"]
    bars = [[accuracy - low], [high - accuracy]]
    ax.errorbar(
        result.fit_time.mean(),
        accuracy,
        bars,
        marker=marker,
        capsize=4,
        linestyle="none",
        label=name,
    )
ax.set(xlabel="Mean training time per fold (s)", ylabel="Accuracy", ylim=(0, 1.02))
legend = ax.legend(loc="lower right")

# %%
# Parameters of any step can be set by name:

from sklearn import set_config

set_config(display="text")
balanced = classifiers["balanced"].set_params(votingclassifier__networks__dropout=0.4)
print(balanced[-1].named_estimators["networks"])

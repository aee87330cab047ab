"""
Comparing presets
=================

Ready classifiers on the same folds: what a difference in accuracy is worth, and what it
costs.
"""

# %%
# Of each class only six recordings are known, and all is generated: so this shows how
# to compare, not how the presets do on real sounds. That was measured:
# :doc:`../accuracy`. The third preset, "accurate", trains a convolutional network as
# well, which would take minutes; a linear classifier stands in for what presets have to
# beat.

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
# All are trained and judged on the same folds, which keep recordings whole. The test
# knows that the folds' training sets overlap, and that three pairs are looked at.

from soundclf.evaluation import compare

comparison = compare(classifiers, sounds)
comparison

# %%
# Accuracy and time, features included:

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
ax.set(
    xlabel="Seconds of training, mean of the folds", ylabel="Accuracy", ylim=(0, 1.02)
)
legend = ax.legend(loc="lower right")

# %%
# Any part of a preset is reached by its name:

from sklearn import set_config

set_config(display="text")
balanced = classifiers["balanced"].set_params(votingclassifier__networks__dropout=0.4)
print(balanced[-1].named_estimators["networks"])

"""
Comparing presets
=================

Ready classifiers on the same folds: what a difference in accuracy is worth, and what it costs.
"""

# %%
# Of each class only four recordings are known, and all is generated: so this shows how to compare, not how the presets
# do on real sounds. That was measured: :doc:`../accuracy`.

from soundclf import make_classifier
from soundclf.datasets import make_sounds

sounds = make_sounds(96, random_state=0)
presets = {name: make_classifier(name, n_jobs=-1, random_state=0) for name in ("fast", "balanced")}

# %%
# The third, "accurate", trains a convolutional network beside the second for 120 epochs. For this page it has to be
# content with ten, of smaller pictures. Parameters of parts are reached by their names.

quick = make_classifier("accurate", n_jobs=-1, random_state=0)
quick.set_params(
    spectra__logmeltransformer__duration=1.5,
    spectra__convaudioclassifier__channels=(16, 32, 64),
    spectra__convaudioclassifier__epochs=10,
)
presets['"accurate", shortened'] = quick

# %%
# All are trained and judged on the same three folds, which keep recordings whole. The test knows that the folds'
# training sets overlap, and that three pairs are looked at.

from soundclf.evaluation import compare

comparison = compare(presets, sounds, cv=3)
comparison

# %%
# Accuracy and time, features included:

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for (name, result), marker in zip(comparison.evaluations.items(), "os^", strict=True):
    accuracy, (low, high) = result.pooled["accuracy"], result.intervals["accuracy"]
    bars = [[accuracy - low], [high - accuracy]]
    ax.errorbar(result.fit_time.mean(), accuracy, bars, marker=marker, capsize=4, linestyle="none", label=name)
ax.set(xlabel="Seconds of training, mean of the folds", ylabel="Accuracy", ylim=(0, 1.02), xscale="log")
legend = ax.legend(loc="lower right")

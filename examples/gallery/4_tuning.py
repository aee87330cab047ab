"""
Tuning features and network together
====================================

Search over both steps of a pipeline, with grouped folds and features that are computed
once per setting.
"""

import tempfile

from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from soundclf import DenseAudioClassifier, MFCCMeanTransformer
from soundclf.datasets import load_audio_folder, make_sounds

home = tempfile.TemporaryDirectory()
make_sounds(240, directory=f"{home.name}/recordings", random_state=0)
sounds = load_audio_folder(f"{home.name}/recordings", group=r"(.+)-")

# %%
# Nine candidates and three folds are 27 fits. Without ``memory=`` each clip is decoded
# 27 times, with it three times.

clf = make_pipeline(
    MFCCMeanTransformer(memory=f"{home.name}/cache", n_jobs=-1),
    DenseAudioClassifier(n_networks=1, epochs=40, random_state=0),
)
grid = {
    "mfccmeantransformer__n_mfcc": [10, 20, 40],
    "denseaudioclassifier__dropout": [0.0, 0.2, 0.5],
}
search = GridSearchCV(clf, grid, cv=StratifiedGroupKFold(3), refit=False)
search.fit(sounds.data, sounds.target, groups=sounds.groups)
print(search.best_params_, f"{search.best_score_:.3f}")

# %%
# All candidates, with the standard deviation over the folds. Differences smaller than
# the error bars mean little with 240 clips.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

results = pd.DataFrame(search.cv_results_)
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
for place, (dropout, rows) in enumerate(
    results.groupby("param_denseaudioclassifier__dropout")
):
    at = np.arange(len(rows)) + 0.12 * (place - 1)
    mean, spread = rows["mean_test_score"], rows["std_test_score"]
    ax.errorbar(
        at,
        mean,
        spread,
        marker="os^"[place],
        linestyle="none",
        capsize=3,
        label=f"dropout {dropout}",
    )
ax.set_xticks(range(3), grid["mfccmeantransformer__n_mfcc"])
ax.set(xlabel="Number of coefficients", ylabel="Accuracy, mean of three folds")
legend = ax.legend(loc="lower right")

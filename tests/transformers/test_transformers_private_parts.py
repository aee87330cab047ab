"""Fragile uses of joblib and scikit-learn: what happens once they are gone."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import TransformerMixin
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from soundclf import DenseAudioClassifier, LogMelTransformer, MFCCMeanTransformer
from soundclf.evaluation import _cross_validation, _splits, cross_validate_clips


class Bare:
    """A backend of joblib without the attributes that are asked for."""


@pytest.mark.parametrize("n_jobs", [None, 2, -1])
@pytest.mark.parametrize("broken", ["missing", "other result", "other attributes"])
def test_threads_without_joblibs_backend(tone_files, monkeypatch, broken, n_jobs):
    expected = MFCCMeanTransformer().transform(tone_files)
    if broken == "missing":
        monkeypatch.delattr(joblib.parallel, "get_active_backend")
    else:
        result = (Bare(), None) if broken == "other attributes" else (Bare(), None, 3)
        monkeypatch.setattr(joblib.parallel, "get_active_backend", lambda **_: result)
    np.testing.assert_array_equal(MFCCMeanTransformer(n_jobs=n_jobs).transform(tone_files), expected)


def test_a_spectrogram_without_automatic_wrapping(tones, monkeypatch):
    def refuse(cls, **options):
        if options:
            raise TypeError("__init_subclass__() takes no keyword arguments")

    monkeypatch.setattr(TransformerMixin, "__init_subclass__", classmethod(refuse))

    class Spectra(LogMelTransformer, auto_wrap_output_keys=None):
        pass

    expected = LogMelTransformer(0.2).transform(tones[0])
    np.testing.assert_array_equal(Spectra(0.2).fit(tones[0]).transform(tones[0]), expected)


class Opaque:
    """Metadata routing without the method that is asked for."""


@pytest.mark.parametrize("wrap", [lambda clf: clf, lambda clf: make_pipeline(StandardScaler(), clf)], ids=["", "pipe"])
def test_evaluation_without_metadata_routing(blobs, monkeypatch, wrap):
    X, y = blobs
    groups = np.arange(90) // 3
    clf = wrap(DenseAudioClassifier((4,), epochs=2, n_networks=1, random_state=0))
    dataset = {"data": X, "target": y, "groups": groups}
    expected = cross_validate_clips(clf, dataset, cv=2, n_bootstrap=5)
    for module in (_cross_validation, _splits):
        monkeypatch.setattr(module, "get_routing_for_object", lambda _: Opaque())
    result = cross_validate_clips(clf, dataset, cv=2, n_bootstrap=5)
    np.testing.assert_array_equal(result.y_pred, expected.y_pred)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about leaks, and groups that the splitter ignores
        assert len(cross_validate_clips(clf, dataset, cv=KFold(2), n_bootstrap=5).y_pred) == 90

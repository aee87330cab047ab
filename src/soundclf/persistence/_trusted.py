"""Which classes and functions a model file may name.

What skops trusts by itself are scikit-learn's estimators, NumPy's types and universal functions, and those of SciPy.
"""

from __future__ import annotations

__all__ = ["CLASSES", "FUNCTIONS", "UNSAFE"]


def _named(table: dict[str, str]) -> frozenset[str]:
    return frozenset(f"{module}.{name}" for module, names in table.items() for name in names.split())


# Beyond that: our estimators, and what scikit-learn's keep when they are fitted, which is nothing but attributes, or
# checked before it is constructed. None of them may stand where a function is expected.
CLASSES = _named(
    {
        "soundclf.classifiers": "ConvAudioClassifier DenseAudioClassifier",
        "soundclf.transformers": "LogMelTransformer MFCCMeanTransformer MFCCStatisticsTransformer",
        "numpy": "dtype",
        "sklearn._loss._loss": """CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss CyHalfGammaLoss
            CyHalfMultinomialLoss CyHalfPoissonLoss CyHalfSquaredError CyHuberLoss CyPinballLoss""",
        "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        "sklearn.compose._column_transformer": "make_column_selector",
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.metrics._scorer": "_CurveScorer _MultimetricScorer _PassthroughScorer _Scorer",
        "sklearn.model_selection._split": """GroupKFold GroupShuffleSplit KFold LeaveOneGroupOut LeaveOneOut
            LeavePGroupsOut LeavePOut PredefinedSplit RepeatedKFold RepeatedStratifiedKFold ShuffleSplit
            StratifiedGroupKFold StratifiedKFold StratifiedShuffleSplit TimeSeriesSplit""",
        "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
        "sklearn.tree._tree": "Tree",
        "sklearn.utils._bunch": "Bunch",
        "sklearn.utils._metadata_requests": "MetadataRequest MethodMetadataRequest",
    }
)

# Of arrays, as selectors and scorers keep them.
FUNCTIONS = _named(
    {
        "numpy": """amax amin asarray ascontiguousarray atleast_2d average clip cumprod cumsum diff expand_dims fix flip
            fliplr flipud gradient imag max mean median min moveaxis nan_to_num nanmax nanmean nanmedian nanmin
            nanpercentile nanquantile nanstd nansum nanvar percentile prod ptp quantile ravel real real_if_close reshape
            roll round sinc sort squeeze std sum swapaxes transpose unwrap var""",
        "numpy.linalg": "norm",
        "sklearn.feature_selection._mutual_info": "mutual_info_classif",
        "sklearn.feature_selection._univariate_selection": "chi2 f_classif f_oneway",
        "sklearn.metrics._classification": """accuracy_score balanced_accuracy_score brier_score_loss cohen_kappa_score
            f1_score fbeta_score jaccard_score log_loss matthews_corrcoef precision_score recall_score""",
        "sklearn.metrics._ranking": "average_precision_score roc_auc_score top_k_accuracy_score",
    }
)

# Trusted by skops, but their compiled code reads or writes wherever the arrays of a file make it.
UNSAFE = _named(
    {
        "sklearn.cluster._birch": "Birch",
        "sklearn.cluster._bisect_k_means": "BisectingKMeans",
        "sklearn.covariance._elliptic_envelope": "EllipticEnvelope",
        "sklearn.ensemble._gb": "GradientBoostingClassifier GradientBoostingRegressor",
        "sklearn.feature_extraction._dict_vectorizer": "DictVectorizer",
        "sklearn.feature_extraction._hash": "FeatureHasher",
        "sklearn.feature_extraction.text": "CountVectorizer HashingVectorizer TfidfVectorizer",
    }
)

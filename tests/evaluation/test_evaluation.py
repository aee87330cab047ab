"""soundclf.evaluation: figures against scikit-learn's and hand calculation, leaks, duplicates, comparisons."""

from __future__ import annotations

import io
import itertools
import shutil
import warnings

import numpy as np
import pytest
import sklearn
import soundfile
from scipy import stats
from sklearn import metrics
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    PredefinedSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from soundclf import DenseAudioClassifier, LeakWarning, MFCCMeanTransformer, ParameterError
from soundclf.datasets import check_clips
from soundclf.evaluation import compare, cross_validate_clips, find_duplicates, find_leaks

SR = 22050
SCORES = {"accuracy": "accuracy", "balanced_accuracy": "balanced_accuracy", "macro_f1": "f1_macro"}


@pytest.fixture(scope="module")
def rows():
    """120 rows of three classes that overlap, from 24 recordings of five rows, in four folds of six recordings."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(24), 5)
    y = np.array(["bark", "drill", "siren"])[groups % 3]
    X = rng.normal(size=(120, 4)) + 1.5 * np.eye(4)[groups % 3] + 0.7 * rng.normal(size=(24, 4))[groups]
    return {"data": X, "target": y, "groups": groups, "cv": PredefinedSplit(groups // 6)}


def regression():
    return make_pipeline(StandardScaler(), LogisticRegression())


def evaluate(dataset, estimator=None, **parameters):
    estimator = regression() if estimator is None else estimator
    return cross_validate_clips(estimator, dataset, **{"n_bootstrap": 20, **parameters})


def make_claims(probabilities):
    return np.column_stack([probabilities, np.arange(len(probabilities))])  # no row is another's duplicate


def without(dataset, *names):
    return {name: value for name, value in dataset.items() if name not in names}


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded, in a list that grows; they still are."""
    opened = []
    init = soundfile.SoundFile.__init__

    def counting(self, file, *args, **kwargs):
        opened.append(file)
        init(self, file, *args, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", counting)
    return opened


# -- scores ------------------------------------------------------------------------------------------------------------


def test_scores_are_those_of_scikit_learn(rows):
    result = evaluate(rows)
    expected = cross_validate(
        regression(), rows["data"], rows["target"], cv=rows["cv"], scoring=list(SCORES.values()), return_indices=True
    )
    for ours, theirs in SCORES.items():
        np.testing.assert_allclose(result.scores[ours], expected[f"test_{theirs}"], rtol=1e-12)
    assert 0.5 < result.pooled["accuracy"] < 0.95
    np.testing.assert_array_equal(result.positions, np.concatenate(expected["indices"]["test"]))
    assert result.split.tolist() == np.repeat(range(4), 30).tolist()
    assert (result.n_train.tolist(), result.n_test.tolist()) == ([90] * 4, [30] * 4)
    assert (result.fit_time > 0).all()
    assert (result.predict_time > 0).all()
    assert result.cv_description == "the data set's own folds"
    assert result.n_recordings == 24


def test_pooled_figures_are_those_of_the_pooled_predictions(rows):
    result = evaluate(rows)
    y, pred = rows["target"][result.positions], result.y_pred
    np.testing.assert_array_equal(result.y_true, y)
    assert result.classes.tolist() == ["bark", "drill", "siren"]
    np.testing.assert_allclose(
        [result.pooled[name] for name in SCORES],
        [
            metrics.accuracy_score(y, pred),
            metrics.balanced_accuracy_score(y, pred),
            metrics.f1_score(y, pred, average="macro"),
        ],
    )
    np.testing.assert_array_equal(result.confusion_matrix, metrics.confusion_matrix(y, pred))
    assert result.report == metrics.classification_report(y, pred, output_dict=True)
    model = regression().fit(rows["data"][30:], rows["target"][30:])
    np.testing.assert_array_equal(result.probabilities[:30], model.predict_proba(rows["data"][:30]))


class Claiming(ClassifierMixin, BaseEstimator):
    """Predicts the probability of class 1 that is in the first column."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.column_stack([1 - X[:, 0], X[:, 0]])

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0.5).astype(int)]


def test_results_can_be_compared_and_hashed(rows):
    first, other = evaluate(rows), evaluate(rows)
    assert first != other
    assert len({first, other, first}) == 2


def test_calibration_error_by_hand():
    claims = [0.95, 0.97, 0.99, 0.60, 0.61, 0.2, 1.0, 0.5]
    target = [1, 1, 0, 1, 0, 0, 1, 0]
    # The bins of 1/15: the first three and the 1.0 in [14/15, 1], of them 3 of 4 right; 0.60 and 0.61 in [9/15, 10/15),
    # one of two right; 1 - 0.2 in [12/15, 13/15), right; 0.5 in [7/15, 8/15), where class 0 comes first, right.
    expected = (abs(3 - 3.91) + abs(1 - 1.21) + abs(1 - 0.8) + abs(1 - 0.5)) / 8
    dataset = {"data": make_claims([*claims, 0.0, 1.0]), "target": [*target, 0, 1]}
    result = evaluate(dataset, Claiming(), cv=[([8, 9], range(8))])
    assert result.calibration_error == pytest.approx(expected)
    assert f"Expected calibration error: {result.calibration_error:.3f}." in str(result)


def test_a_classifier_without_probabilities(rows):
    result = evaluate(rows, make_pipeline(StandardScaler(), LinearSVC(random_state=0)))
    assert result.probabilities is None
    assert result.calibration_error is None
    assert "alibration" not in str(result) + result._repr_html_()


def test_a_class_that_a_training_fold_lacks(rows):
    cv = PredefinedSplit(np.where(rows["target"] == "siren", 1, np.arange(120) // 60))
    result = evaluate({**rows, "cv": cv})
    second = result.split == 1
    assert (result.probabilities[second, 2] == 0).all()
    assert (result.probabilities[~second] > 0).all()
    np.testing.assert_allclose(result.probabilities.sum(axis=1), 1)
    assert result.confusion_matrix[2, 2] == 0
    assert result.report["siren"]["recall"] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        expected = metrics.balanced_accuracy_score(result.y_true[second], result.y_pred[second])
        assert result.scores["balanced_accuracy"][1] == expected
    assert "siren" in str(result)


def test_random_state_and_n_jobs(rows):
    first, again, threads = evaluate(rows), evaluate(rows), evaluate(rows, n_jobs=2)
    other = evaluate(rows, random_state=1)
    for result in (again, threads):
        np.testing.assert_array_equal(result.probabilities, first.probabilities)
        assert result.intervals == first.intervals
    assert other.intervals != first.intervals
    assert other.pooled == first.pooled
    drawn = without(rows, "cv")
    assert (evaluate(drawn).positions == evaluate(drawn, n_jobs=2).positions).all()
    assert (evaluate(drawn).positions != evaluate(drawn, random_state=1).positions).any()


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_scikit_learns_configuration_reaches_every_split(rows, n_jobs):
    pytest.importorskip("pandas")

    class Seeing(LogisticRegression):
        def fit(self, X, y):
            seen.append(type(X).__name__)
            return super().fit(X, y)

    seen = []
    with sklearn.config_context(transform_output="pandas"):
        evaluate(rows, make_pipeline(StandardScaler(), Seeing()), n_jobs=n_jobs)
    assert seen == ["DataFrame"] * 4


# -- intervals ---------------------------------------------------------------------------------------------------------


def slow_interval(result, recordings, n, level, seed):
    """Resample recordings one by one, and score the clips they bring with scikit-learn."""
    rng = np.random.default_rng(seed)
    names = np.unique(recordings)
    scores = []
    for _ in range(n):
        drawn = rng.choice(names, len(names))
        clips = np.concatenate([np.flatnonzero(recordings == name) for name in drawn])
        y, pred = result.y_true[clips], result.y_pred[clips]
        scores.append(
            [
                metrics.accuracy_score(y, pred),
                metrics.recall_score(y, pred, labels=np.unique(y), average="macro"),
                metrics.f1_score(y, pred, average="macro"),
            ]
        )
    return np.quantile(scores, [0.5 - level / 2, 0.5 + level / 2], axis=0).T


@pytest.mark.parametrize("level", [0.95, 0.5])
def test_intervals_are_those_of_a_plain_bootstrap(rows, level):
    result = evaluate(rows, n_bootstrap=4000, confidence_level=level)
    expected = slow_interval(result, rows["groups"][result.positions], 400, level, seed=5)
    np.testing.assert_allclose([result.intervals[name] for name in SCORES], expected, atol=0.025)


def test_recordings_that_stand_or_fall_together_widen_the_interval():
    right = np.random.default_rng(0).random(60) < 0.7
    dataset = {"data": make_claims([*np.repeat(right, 10), 0, 1]), "target": np.append(np.ones(600, int), [0, 1])}
    splits = {"cv": [([600, 601], range(600))], "n_bootstrap": 2000}
    by_recording = evaluate({**dataset, "groups": [*np.repeat(np.arange(60), 10), 60, 61]}, Claiming(), **splits)
    by_clip = evaluate(dataset, Claiming(), **splits)
    widths = [np.diff(result.intervals["accuracy"])[0] for result in (by_recording, by_clip)]
    # The standard error of a share grows by the square root of ten when ten clips are one observation.
    assert widths[0] / widths[1] == pytest.approx(10**0.5, rel=0.1)
    share = right.mean()
    assert widths[0] == pytest.approx(2 * 1.96 * (share * (1 - share) / 60) ** 0.5, rel=0.1)


def test_intervals_cover_what_they_should():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        right = np.repeat(rng.random(80) < 0.7, 4)
        dataset = {
            "data": make_claims([*right, 0, 1]),
            "target": np.append(np.ones(320, int), [0, 1]),
            "groups": np.append(np.repeat(np.arange(80), 4), [80, 81]),
        }
        result = evaluate(dataset, Claiming(), cv=[([320, 321], range(320))], n_bootstrap=300, confidence_level=0.8)
        covered += result.intervals["accuracy"][0] <= 0.7 <= result.intervals["accuracy"][1]
    assert 68 <= covered <= 90  # of a binomial with 0.8, but for one case in a thousand


# -- leaks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ([([0, 2, 3], [1, 4])], ["a"]),
        ([((0, 2), (1, 3)), (np.array([4]), np.array([0]))], ["a", "b"]),
        ([([0, 2], [1, 3]), ([1, 3], [0, 2])], ["a", "b"]),
        ([([True, False, True, True, False], np.array([False, True, False, False, True]))], ["a"]),
        pytest.param(iter([([0, 1], [2, 3, 4])]), [], id="iterator"),
        ([([], [0, 1])], []),
        ([], []),
        (KFold(5), ["a", "b"]),
        (KFold(2), ["b"]),
        (PredefinedSplit([0, 0, 1, 1, 2]), []),
        (GroupKFold(3), []),
    ],
    ids=str,
)
def test_recordings_on_both_sides(splits, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        leaks = find_leaks(["a", "a", "b", "b", "c"], splits)
    assert leaks.tolist() == expected
    assert leaks.dtype == np.array(["a"]).dtype


class ByRecording:
    """A splitter of the user's own, with scikit-learn's method and nothing more."""

    def split(self, X, y=None, groups=None):
        for name in np.unique(groups):
            yield np.flatnonzero(groups != name), np.flatnonzero(groups == name)


def test_a_splitter_that_is_not_scikit_learns(rows):
    assert find_leaks(rows["groups"], ByRecording()).tolist() == []
    result = evaluate(rows, cv=ByRecording())
    assert len(result.n_test) == 24
    assert result.cv_description == "the splits passed (ByRecording)"


def test_no_groups_no_leaks():
    assert find_leaks([], []).tolist() == []


@pytest.mark.parametrize("groups", [["a", None, "b"], [1.0, np.nan, 2.0], [[1, 2], [3, 4]]])
def test_groups_without_information_are_refused(groups):
    with pytest.raises(ValueError, match=r"groups must name every recording|1d array"):
        find_leaks(groups, [([0], [1])])


def test_leaks_of_the_published_splits(real_data):
    published = np.load(real_data / "UrbanSound8K" / "mfcc40_mean_kaiser_fast.npz", allow_pickle=False)
    groups, folds = published["fsID"], published["fold"]
    split = train_test_split(np.arange(8732), test_size=0.2, random_state=0)
    assert len(find_leaks(groups, [split])) == 698
    assert find_leaks(groups, PredefinedSplit(folds)).tolist() == [77751, 106905, 132016, 176638, 180937]
    dataset = {"data": published["X"], "target": published["y"], "groups": groups, "cv": PredefinedSplit(folds)}
    model = make_pipeline(StandardScaler(), DummyClassifier())
    with pytest.warns(LeakWarning, match="698 recordings have clips on both sides") as caught:
        result = evaluate(dataset, model, cv=[split])
    assert len(result.leaks) == 698
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(dataset, model)
    assert len(result.leaks) == 5
    text = "5 recordings have clips on both sides of a split: 77751, 106905, 132016, 176638, 180937."
    assert text in str(result)
    assert text in result._repr_html_()


def test_the_folds_of_esc10_keep_recordings_whole(real_data):
    names = [path.stem.split("-") for path in sorted((real_data / "esc10").glob("[0-9]*/*.ogg"))]
    assert len(names) == 400
    folds, recordings = [int(name[0]) for name in names], [name[1] for name in names]
    assert find_leaks(recordings, PredefinedSplit(folds)).tolist() == []
    assert len(find_leaks(recordings, KFold(5, shuffle=True, random_state=0))) > 50


@pytest.mark.parametrize(
    ("splits", "match"),
    [
        (KFold, r"is a class, where a splitter is expected: KFold\(\.\.\.\)"),
        (np.arange(120) % 5, "must be a splitter or .*, got ndarray; folds given clip by clip .*PredefinedSplit"),
        (["ab", "cd"], "must be a splitter or .*, got list"),
        ([(range(60), range(60, 90), range(90, 120))], "must be a splitter or .*, got list"),
    ],
)
def test_splits_that_are_none_are_refused(rows, splits, match):
    with pytest.raises(ValueError, match=f"^cv {match}"):
        evaluate(rows, cv=splits)
    with pytest.raises(ValueError, match=f"^splits {match}"):
        find_leaks(rows["groups"], splits)


def test_too_few_clips_or_recordings_for_the_folds_are_reported(rows):
    few = {"data": rows["data"][:7], "target": ["dog"] * 4 + ["siren"] * 3}
    with pytest.raises(
        ValueError, match=r"^5 folds need 5 clips of a class, and the largest, 'dog', has 4\nPass a smaller"
    ):
        evaluate(few)
    with pytest.raises(ValueError, match=r"^3 folds need 3 recordings, and there are 2\nPass a smaller"):
        evaluate({**few, "groups": [1, 1, 2, 2, 1, 1, 2]}, cv=3)
    assert evaluate({**few, "groups": [1, 1, 2, 2, 1, 1, 2]}, cv=2).n_recordings == 2


@pytest.mark.parametrize("splits", [None, 5, "folds"])
def test_what_holds_no_splits_has_no_leaks_to_list(rows, splits):
    with pytest.raises(ValueError, match=f"^splits must be a splitter or .*, got {type(splits).__name__};"):
        find_leaks(rows["groups"], splits)


def test_a_leaking_cv_is_warned_of(rows):
    cv = KFold(5, shuffle=True, random_state=0)
    expected = find_leaks(rows["groups"], cv)
    share = np.mean(np.concatenate([np.isin(rows["groups"][b], rows["groups"][a]) for a, b in cv.split(rows["data"])]))
    with pytest.warns(
        LeakWarning, match=f"{len(expected)} recordings have .* affects {share:.0%} of the test"
    ) as caught:
        result = evaluate(rows, cv=cv)
    assert [warning.filename for warning in caught] == [__file__]
    np.testing.assert_array_equal(result.leaks, expected)
    assert f"{len(expected)} recordings have clips on both sides of a split: 0, 1, 2" in str(result)
    with pytest.warns(LeakWarning, match="This split leaks: 1 recording has clips"):
        result = evaluate(rows, cv=[(range(4, 120), range(4))])
    assert "1 recording has clips on both sides of a split: 0." in str(result)


def test_few_leaks_of_the_data_sets_own_folds_are_reported_without_a_warning(rows):
    recordings = np.unique(rows["groups"], return_inverse=True)[1]
    fold = recordings % 5
    fold[np.flatnonzero(recordings == 0)[0]] = 1  # one clip strays, and affects those of its recording
    dataset = {**rows, "cv": PredefinedSplit(fold)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = [evaluate(dataset), evaluate(dataset, cv=dataset["cv"])]
    for result in results:
        assert "1 recording has clips on both sides of a split: 0." in str(result)


def test_many_leaks_of_the_data_sets_own_folds_are_warned_of(rows):
    dataset = {**rows, "cv": KFold(5, shuffle=True, random_state=0)}
    with pytest.warns(LeakWarning, match="24 recordings have clips on both sides"):
        result = evaluate(dataset)
    assert "on both sides of a split: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 14 more." in str(result)


@pytest.mark.parametrize("change", [lambda y: np.r_[y, y], lambda y: y[:100]], ids=["more", "fewer"])
def test_folds_of_other_clips_are_refused(rows, change):
    dataset = {
        **{name: change(rows[name]) for name in ("data", "target", "groups")},
        "cv": PredefinedSplit(np.arange(120) % 5),
    }
    with pytest.raises(ValueError, match=r"cv describes 120 clips, and the data set has (240|100)"):
        evaluate(dataset)


def test_classes_without_a_training_clip_are_named(rows):
    target = np.where(rows["groups"] == rows["groups"][0], "rare", np.asarray(rows["target"]).astype(str))
    result = evaluate({**without(rows, "cv"), "target": target})
    assert [label for _, label in result.missing_classes] == ["rare"]
    assert "Classes without training clips, which cannot be predicted: 1, the first one 'rare' in split" in str(result)


@pytest.mark.parametrize("cv", [None, 4, np.int64(4)])
def test_folds_of_our_own_keep_recordings_whole(rows, cv):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(without(rows, "cv"), cv=cv)
    n = 5 if cv is None else 4
    expected = StratifiedGroupKFold(n, shuffle=True, random_state=0).split(rows["data"], rows["target"], rows["groups"])
    np.testing.assert_array_equal(result.positions, np.concatenate([test for _, test in expected]))
    assert result.cv_description == f"{n} folds in proportion of the classes that keep recordings whole"
    assert result.leaks.tolist() == []
    assert "No recording is on both sides of a split." in str(result)


def test_where_no_recordings_are_known(rows):
    result = evaluate(without(rows, "cv", "groups"))
    expected = StratifiedKFold(5, shuffle=True, random_state=0).split(rows["data"], rows["target"])
    np.testing.assert_array_equal(result.positions, np.concatenate([test for _, test in expected]))
    assert result.n_recordings is None
    assert result.leaks.tolist() == []
    assert "No recordings are known" in str(result)


# -- duplicates --------------------------------------------------------------------------------------------------------


def test_the_same_sound_under_other_names(tones, tmp_path):
    sound = (tones[0][0] * 2**15).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", sound, SR)
    soundfile.write(tmp_path / "b.flac", sound, SR)
    soundfile.write(tmp_path / "c.wav", sound + np.int16(1), SR)
    soundfile.write(tmp_path / "d.wav", sound[:-1], SR)
    shutil.copy(tmp_path / "a.wav", tmp_path / "e.wav")
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    clips = [
        tmp_path / "a.wav",
        str(tmp_path / "c.wav"),
        tmp_path / "bad.wav",
        (tmp_path / "b.flac").read_bytes(),
        tmp_path / "d.wav",
        tmp_path / "nowhere.wav",
        str(tmp_path / "e.wav"),
        tmp_path / "bad.wav",
        (sound / np.float32(2**15), SR),
        tmp_path / "d.wav",
    ]
    for n_jobs in (None, 3):
        assert find_duplicates(clips, n_jobs=n_jobs) == [[0, 3, 6, 8], [4, 9]]
    assert find_duplicates(np.array([str(clips[0]), str(clips[6])])) == [[0, 1]]


def test_equal_audio_in_every_form(tones, tmp_path):
    sound = np.stack([tones[0][0], tones[0][1]], axis=1)
    samples = (sound * 2**15).astype(np.int16)
    for name in ("a.wav", "a.flac", "a.aiff"):
        soundfile.write(tmp_path / name, samples, 16000)
    pair = (samples.T / np.float32(2**15), 16000)
    encoded = [(tmp_path / name).read_bytes() for name in ("a.wav", "a.flac")]
    clips = [tmp_path / "a.wav", tmp_path / "a.flac", str(tmp_path / "a.aiff"), *encoded, io.BytesIO(encoded[1]), pair]
    assert find_duplicates([*clips, (pair[0], 8000)]) == [[0, 1, 2, 3, 4, 5, 6]]
    assert check_clips({"data": [*clips, (pair[0], 8000)]}).duplicates == [[0, 1, 2, 3, 4, 5, 6]]


def test_silent_clips_are_no_duplicates_and_no_leak(tones):
    rng = np.random.default_rng(0)
    dithered = rng.integers(-1, 2, 4000).astype(np.float32) / 2**15
    silent = [(np.zeros(4000), SR), (np.zeros(4000), SR), (dithered, SR), (dithered, SR), (np.full(4000, 0.5), SR)] * 2
    assert find_duplicates(silent) == []
    found = check_clips({"data": silent})
    assert (found.duplicates, found.silent.all()) == ([], True)
    loud = [(y, SR) for y in tones[0]]
    clf = make_pipeline(MFCCMeanTransformer(), LogisticRegression(max_iter=5000))
    dataset = {"data": [*loud, *silent], "target": [*tones[1], *[tones[1][0]] * len(silent)]}
    with warnings.catch_warnings():
        warnings.simplefilter("error", LeakWarning)
        assert evaluate(dataset, clf, cv=4).duplicates == []


@pytest.mark.parametrize(
    "form",
    [np.array, list, lambda X: pytest.importorskip("pandas").DataFrame(X), tuple],
    ids=["array", "list", "frame", "tuple"],
)
def test_rows_that_are_equal(form):
    assert find_duplicates(form([[1.5, 2], [2, 1.5], [1.5, 2], [0, 0], [2, 1.5]])) == [[0, 2], [1, 4]]
    assert find_duplicates(form([[1.5, 2], [2, 1.5]])) == []


def test_rows_of_numbers_and_words():
    pandas = pytest.importorskip("pandas")
    words = ["".join(part) for part in (("b", "ark"), ("ba", "rk"), ("b", "ird"))]
    assert find_duplicates(pandas.DataFrame({"length": [1.5] * 3, "word": words})) == [[0, 1]]


def test_no_clips_no_duplicates():
    assert find_duplicates([]) == []


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("clip.wav", ValueError, "X is one clip"),
        ([np.zeros(2000), {}], TypeError, "Clip 1: a clip must be"),
        (np.zeros(5), ValueError, "1-D array of numbers"),
    ],
)
def test_what_is_no_sequence_of_clips(X, error, message):
    with pytest.raises(error, match=message):
        find_duplicates(X)


@pytest.mark.parametrize("own", [False, True])
def test_duplicates_on_both_sides_are_reported(rows, own):
    X = rows["data"].copy()
    X[[50, 100]] = X[0]
    X[1] = X[2]  # in one recording
    dataset = {**rows, "data": X}
    if own:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = evaluate(dataset)
    else:
        message = (
            r"1 sound is on both sides under different names, for example clips 0, 50, 100.* give identical sounds"
        )
        with pytest.warns(LeakWarning, match=message):
            result = evaluate(without(dataset, "cv"))
    assert result.duplicates == [[0, 50, 100]]
    text = "1 sound occurs on both sides of a split under different names, for example clips 0, 50, 100."
    assert text in str(result)
    assert text in result._repr_html_()


# -- clips -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_every_clip_is_extracted_once(tone_files, tones, decoded, n_jobs):
    clf = make_pipeline(MFCCMeanTransformer(), StandardScaler(), LogisticRegression())
    result = evaluate({"data": tone_files, "target": tones[1]}, clf, cv=4, n_jobs=n_jobs)
    assert len(decoded) == len(tone_files)  # for its features and to look for duplicates
    assert clf[0].memory is None
    assert not hasattr(clf[-1], "coef_")
    X = MFCCMeanTransformer().transform(tone_files)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    expected = cross_validate(clf[1:], X, tones[1], cv=cv)["test_score"]
    np.testing.assert_array_equal(result.scores["accuracy"], expected)


def test_the_users_own_cache_is_used(tone_files, tones, tmp_path, decoded):
    clf = make_pipeline(MFCCMeanTransformer(memory=tmp_path), LogisticRegression(max_iter=5000))
    clf[0].transform(tone_files)
    decoded.clear()
    evaluate({"data": tone_files, "target": tones[1]}, clf, cv=4)
    assert len(decoded) == len(tone_files)
    assert clf[0].memory == tmp_path


def test_a_frozen_transformer_is_left_as_it_was(tone_files, tones, decoded):
    transformer = MFCCMeanTransformer()
    evaluate(
        {"data": tone_files, "target": tones[1]},
        make_pipeline(FrozenEstimator(transformer), LogisticRegression(max_iter=5000)),
        cv=4,
    )
    assert len(decoded) == len(tone_files)
    assert transformer.memory is None


@pytest.mark.parametrize("form", ["tuples", "arrays", "Series", "object array", "Index"])
def test_clips_of_every_form(tones, tone_files, form):
    pandas = pytest.importorskip("pandas")
    paths = np.array(tone_files, dtype=object)
    forms = {
        "tuples": [(clip, SR) for clip in tones[0]],
        "arrays": tones[0],
        "Series": pandas.Series(tone_files, index=np.arange(24)[::-1]),
        "object array": paths,
        "Index": pandas.Index(tone_files),
    }
    target = pandas.Series(tones[1], index=np.arange(100, 124))
    clf = make_pipeline(MFCCMeanTransformer(), StandardScaler(), LogisticRegression())
    result = evaluate({"data": forms[form], "target": target, "groups": target.index}, clf, cv=3)
    assert result.pooled["accuracy"] == 1
    np.testing.assert_array_equal(result.y_true, tones[1][result.positions])


def test_rows_in_a_frame_keep_their_names(rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows["data"], columns=list("abcd"), index=np.arange(120)[::-1])
    result = evaluate({**rows, "data": frame, "target": pandas.Series(rows["target"]).astype("category")})
    np.testing.assert_allclose(result.probabilities, evaluate(rows).probabilities, rtol=1e-9)
    np.testing.assert_array_equal(evaluate({**rows, "data": frame.values.tolist()}).y_pred, result.y_pred)


@pytest.mark.parametrize(
    "labels",
    [[3, 7, 5], [True, False, True], [1.0, 2.0, 3.0], ["accuracy", "macro avg", "b"], ["<b>", "&", "weighted avg"]],
    ids=str,
)
def test_labels_of_any_kind(rows, labels):
    y = np.array(labels)[rows["groups"] % 3]
    result = evaluate({**rows, "target": y})
    expected = metrics.precision_recall_fscore_support(y[result.positions], result.y_pred)
    table = str(result).split("\n\n")[3].splitlines()[1:]
    for i, line in enumerate(table):
        figures = [f"{expected[j][i]:.3f}" for j in range(3)] + [str(expected[3][i])]
        assert line.rsplit(maxsplit=4) == [str(np.unique(y)[i]), *figures]
    assert result.y_pred.dtype == y.dtype
    assert len(result.classes) == len(set(labels))


# -- groups on their way -----------------------------------------------------------------------------------------------


def dense(**parameters):
    return DenseAudioClassifier(
        **{
            "hidden_layer_sizes": (8,),
            "epochs": 3,
            "random_state": 0,
            "early_stopping": True,
            "validation_fraction": 0.3,
            **parameters,
        }
    )


@pytest.mark.parametrize(
    "wrap", [lambda clf: clf, lambda clf: make_pipeline(StandardScaler(), clf)], ids=["plain", "pipeline"]
)
def test_groups_reach_the_classifier(rows, wrap):
    result = evaluate(rows, wrap(dense()))
    X, y, groups = rows["data"], rows["target"], rows["groups"]
    with sklearn.config_context(enable_metadata_routing=True):
        expected = wrap(dense()).fit(X[30:], y[30:], groups=groups[30:]).predict_proba(X[:30])
    np.testing.assert_array_equal(result.probabilities[:30], expected)
    assert (expected != wrap(dense()).fit(X[30:], y[30:]).predict_proba(X[:30])).any()
    assert not sklearn.get_config()["enable_metadata_routing"]


@pytest.mark.parametrize(
    ("estimator", "takes"),
    [
        (GridSearchCV(dense(), {"dropout": [0.0, 0.2]}, cv=GroupKFold(2)), True),
        (GridSearchCV(regression(), {"logisticregression__C": [1]}, cv=GroupKFold(2)), True),
        (GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2), False),
        (VotingClassifier([("dense", dense()), ("regression", LogisticRegression())], voting="soft"), True),
        (VotingClassifier([("regression", LogisticRegression())], voting="hard"), False),
        (AdaBoostClassifier(n_estimators=3, random_state=0), False),
        (make_pipeline(StandardScaler(), AdaBoostClassifier(n_estimators=3, random_state=0)), False),
    ],
)
def test_groups_break_nothing(rows, estimator, takes):
    before = str(clone(estimator).get_params())
    result = evaluate(rows, estimator)
    X, y, groups = rows["data"], rows["target"], rows["groups"]
    with sklearn.config_context(enable_metadata_routing=takes):
        expected = clone(estimator).fit(X[30:], y[30:], **({"groups": groups[30:]} if takes else {}))
    np.testing.assert_array_equal(result.y_pred[:30], expected.predict(X[:30]))
    assert str(estimator.get_params()) == before
    assert not [name for name in vars(estimator) if name.endswith("_")]


# -- what cannot be evaluated ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": ["a"] * 3}, r"inconsistent numbers of samples: \[120, 3, 120\]"),
        ({"groups": ["a"] * 3}, r"inconsistent numbers of samples: \[120, 120, 3\]"),
        ({"groups": [None, *"ab" * 59, "a"]}, "groups must name every recording"),
        ({"target": np.linspace(0, 1, 120)}, "Unknown label type: continuous"),
        ({"target": np.zeros((120, 2))}, "1d array"),
        ({"cv": []}, "cv must yield at least one split"),
        ({"cv": [([], [1, 2])]}, "cv must yield at least one split, with clips on both sides of each"),
    ],
)
def test_a_data_set_that_does_not_fit_together(rows, change, message):
    with pytest.raises(ValueError, match=message):
        evaluate({**rows, **change})


@pytest.mark.parametrize("dataset", [{"data": [1]}, {"target": [1]}, [1, 2], None])
def test_what_is_no_data_set(dataset):
    with pytest.raises(ValueError, match='dataset must be a Bunch or a dict with "data" and "target"'):
        evaluate(dataset)


def test_a_classifier_that_knows_other_labels(rows):
    frozen = FrozenEstimator(LogisticRegression().fit(rows["data"], np.char.upper(rows["target"])))
    with pytest.raises(ValueError, match="predicts labels that are not in the data set: 'BARK', 'DRILL', 'SIREN'"):
        evaluate(rows, frozen)


@pytest.mark.parametrize("function", [cross_validate_clips, compare])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_bootstrap", 0),
        ("n_bootstrap", 2.5),
        ("confidence_level", 0),
        ("confidence_level", 1.0),
        ("confidence_level", 95),
        ("random_state", -1),
        ("random_state", np.random.RandomState(0)),
        ("n_jobs", 0),
        ("verbose", "yes"),
    ],
)
def test_bad_parameters(rows, function, name, value):
    with pytest.raises(ParameterError, match=f"'{name}' parameter of {function.__name__} must be .*, got"):
        function({}, rows, **{name: value})


# -- how it reads ------------------------------------------------------------------------------------------------------


def test_text_and_html(rows):
    y = np.where(rows["target"] == "bark", "<b>bark & co</b>", rows["target"])
    result = evaluate({**rows, "target": y}, confidence_level=0.9)
    text, html = str(result), result._repr_html_()
    low, high = result.intervals["accuracy"]
    scores = result.scores["accuracy"]
    figures = [result.pooled["accuracy"], low, high, scores.mean(), scores.std(ddof=1)]
    assert text.splitlines()[1].replace(" to ", " ").split() == ["Accuracy", *(f"{figure:.3f}" for figure in figures)]
    assert "90 % interval" in text
    assert "120 test clips from 24 recordings, split by the data set's own folds." in text
    assert "<b>bark & co</b>" in text
    assert "<b>" not in html
    assert "&lt;b&gt;bark &amp; co&lt;/b&gt;" in html
    assert html.count("<table>") == html.count("</table>") == 4
    for row in result.confusion_matrix:
        assert any(line.split()[-3:] == [str(n) if n else "." for n in row] for line in text.splitlines())


def test_one_split_has_no_spread(rows):
    line = str(evaluate(rows, cv=[(range(60), range(60, 120))])).splitlines()[1]
    assert line.endswith(" -")


def test_many_classes_get_no_confusion_matrix_in_text():
    X = np.repeat(np.eye(25), 4, axis=0) + np.random.default_rng(0).normal(size=(100, 25)) / 10
    result = evaluate({"data": X, "target": np.repeat(np.arange(25), 4)}, cv=2)
    assert "true \\ predicted" not in str(result)
    assert "true \\ predicted" in result._repr_html_()


def test_a_progress_bar(rows, capsys):
    evaluate(rows, verbose=1)
    assert "4/4" in capsys.readouterr().err
    evaluate(rows)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("normalize", [None, "true"])
def test_the_plot_shows_the_matrix(rows, normalize):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    result = evaluate(rows)
    figure, ax = plt.subplots()
    display = result.plot_confusion_matrix(ax=ax, normalize=normalize)
    expected = metrics.confusion_matrix(result.y_true, result.y_pred, normalize=normalize)
    np.testing.assert_array_equal(display.confusion_matrix, expected)
    assert display.ax_ is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == result.classes.tolist()
    figure.canvas.draw()
    plt.close(figure)


# -- comparisons -------------------------------------------------------------------------------------------------------


def test_the_corrected_t_test_by_hand(rows):
    models = {"all": regression(), "strong": LogisticRegression(C=1e-3), "none": DummyClassifier()}
    result = compare(models, rows, n_bootstrap=20, confidence_level=0.9)
    assert [(pair["first"], pair["second"]) for pair in result.differences] == list(itertools.combinations(models, 2))
    for pair in result.differences:
        scores = [evaluate(rows, models[pair[side]]).scores["accuracy"] for side in ("first", "second")]
        d = scores[0] - scores[1]
        np.testing.assert_allclose(pair["per_split"], d)
        error = (np.var(d, ddof=1) * (1 / 4 + 30 / 90)) ** 0.5
        expected = stats.t(df=3, loc=d.mean(), scale=error)
        assert pair["difference"] == pytest.approx(d.mean())
        assert pair["interval"] == pytest.approx(expected.interval(0.9))
        assert pair["p_value"] == pytest.approx(2 * min(expected.cdf(0), expected.sf(0)))
        assert pair["p_value"] > stats.ttest_1samp(d, 0).pvalue
    p = np.array([pair["p_value"] for pair in result.differences])
    order = np.argsort(p)
    holm = np.minimum(np.maximum.accumulate(p[order] * [3, 2, 1]), 1)
    np.testing.assert_allclose([result.differences[i]["p_adjusted"] for i in order], holm)
    assert holm[0] < 0.1 < holm[-1] or len(set(holm)) > 1
    assert result.evaluations["all"].scores["accuracy"].tolist() == evaluate(rows).scores["accuracy"].tolist()


def test_splits_of_different_size(rows):
    cv = [(range(30), range(30, 120)), (range(60, 120), range(60)), (range(20, 120), range(20))]
    (pair,) = compare({"a": regression(), "b": DummyClassifier()}, rows, cv=cv, n_bootstrap=5).differences
    d = pair["per_split"]
    error = (np.var(d, ddof=1) * (1 / 3 + np.mean([90 / 30, 60 / 60, 20 / 100]))) ** 0.5
    assert pair["p_value"] == pytest.approx(2 * stats.t.sf(abs(d.mean()) / error, 2))


def test_identical_classifiers_do_not_differ(rows):
    (pair,) = compare({"one": regression(), "other": regression()}, rows, n_bootstrap=5).differences
    assert (pair["difference"], pair["interval"], pair["p_value"], pair["p_adjusted"]) == (0, (0, 0), 1, 1)


def test_a_comparison_reads(rows):
    result = compare({"<i>": regression(), 2: DummyClassifier()}, rows, n_bootstrap=5)
    (pair,) = result.differences
    line = str(result).splitlines()[-1].split()
    assert line[:4] == ["<i>", "-", "2", f"{pair['difference']:+.3f}"]
    assert line[-2:] == [f"{pair['p_value']:.3g}", f"{pair['p_adjusted']:.3g}"]
    html = result._repr_html_()
    assert "<i>" not in html
    assert "&lt;i&gt; - 2" in html
    assert "120 test clips from 24 recordings" in html


@pytest.mark.parametrize("estimators", [{}, {"one": DummyClassifier()}, [DummyClassifier()] * 2])
def test_one_estimator_cannot_be_compared(rows, estimators):
    with pytest.raises(ValueError, match="compare needs at least two estimators, as a dict"):
        compare(estimators, rows)


def test_one_split_cannot_show_a_difference(rows):
    with pytest.raises(ValueError, match="compare needs at least two splits"):
        compare({"a": DummyClassifier(), "b": DummyClassifier()}, rows, cv=[(range(60), range(60, 120))])


def test_one_warning_reports_a_leak_for_all_estimators(rows):
    with pytest.warns(LeakWarning) as caught:
        compare({"a": DummyClassifier(), "b": DummyClassifier()}, rows, cv=KFold(7), n_bootstrap=5)
    assert [warning.filename for warning in caught] == [__file__]

"""fit(groups=...): validation rows are whole recordings, and every class keeps one to train on."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from soundclf import DenseAudioClassifier
from soundclf.classifiers._rows import count_validation_rows, draw_groups


def small(**parameters):
    return DenseAudioClassifier(
        **{
            "hidden_layer_sizes": (8,),
            "n_networks": 1,
            "epochs": 2,
            "random_state": 0,
            "early_stopping": True,
            **parameters,
        }
    )


def trained_on(clf, n_rows):
    """Find the training rows from the standardization: row i of X is 2**i, so that the mean identifies them."""
    total = round(float(clf.mean_[0]) * int(clf._scaler_state[3]))
    return np.array([total >> i & 1 for i in range(n_rows)], bool)


def powers(n_rows):
    return (2.0 ** np.arange(n_rows))[:, np.newaxis]


@pytest.fixture(scope="module")
def clips():
    """Forty rows of two classes: ten recordings of four rows, in a random order."""
    order = np.random.default_rng(0).permutation(40)
    groups = np.repeat([f"recording {i}" for i in range(10)], 4)[order]
    y = np.repeat(["bark", "siren"], 20)[order]
    return powers(40), y, groups


# -- which rows --------------------------------------------------------------------------------------------------------


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_whole_recordings_near_the_target(rows, fraction, seed):
    labels, groups = np.array(rows).T
    codes = np.unique(labels, return_inverse=True)[1]
    parts = count_validation_rows(codes, fraction)
    part = draw_groups(codes, parts, groups, np.random.default_rng(seed))
    assert not set(groups[part]) & set(groups[~part])
    assert set(codes[~part]) == set(codes)
    taken = np.bincount(codes[part], minlength=len(parts))
    spare = [code for code in set(codes) if len(set(groups[codes == code])) > 1 and parts[code]]
    shared = any(len(set(codes[groups == group])) > 1 for group in set(groups))
    assert shared or all(taken[code] for code in spare)
    np.testing.assert_array_equal(part, draw_groups(codes, parts, groups, np.random.default_rng(seed)))


@given(st.integers(0, 99))
def test_recordings_of_equal_size_meet_the_target(seed):
    codes, groups = np.repeat([0, 1], 20), np.repeat(np.arange(10), 4)
    part = draw_groups(codes, count_validation_rows(codes, 0.2), groups, np.random.default_rng(seed))
    assert np.bincount(codes[part]).tolist() == [4, 4]


def test_recordings_are_drawn_by_chance():
    codes, groups = np.repeat([0, 1], 20), np.repeat(np.arange(10), 4)
    drawn = {
        tuple(
            np.unique(
                groups[draw_groups(codes, count_validation_rows(codes, 0.2), groups, np.random.default_rng(seed))]
            )
        )
        for seed in range(300)
    }
    assert drawn == {(i, j) for i in range(5) for j in range(5, 10)}


@pytest.mark.parametrize("random_state", range(3))
def test_no_recording_is_on_both_sides(clips, random_state):
    X, y, groups = clips
    trained = trained_on(small(random_state=random_state, validation_fraction=0.2).fit(X, y, groups=groups), 40)
    assert trained.sum() == 32
    assert not set(groups[trained]) & set(groups[~trained])
    assert set(y[~trained]) == {"bark", "siren"}
    without = trained_on(small(random_state=random_state, validation_fraction=0.2).fit(X, y), 40)
    assert set(groups[without]) & set(groups[~without])


@pytest.mark.parametrize("form", ["list", "numbers", "column", "Series"])
def test_groups_of_any_form(clips, form):
    pandas = pytest.importorskip("pandas")
    X, y, groups = clips
    forms = {
        "list": groups.tolist(),
        "numbers": np.unique(groups, return_inverse=True)[1],
        "column": groups[:, np.newaxis],
        "Series": pandas.Series(groups, index=np.arange(40)[::-1]),
    }
    expected = trained_on(small(validation_fraction=0.2).fit(X, y, groups=groups), 40)
    trained = trained_on(small(validation_fraction=0.2).fit(X, y, groups=forms[form]), 40)
    np.testing.assert_array_equal(trained, expected)
    assert not expected.all()


def test_rows_without_weight_are_no_part_of_it(clips):
    X, y, groups = clips
    weight = np.isin(groups, ["recording 0", "recording 1", "recording 7", "recording 8"]).astype(float)
    clf = small(validation_fraction=0.5).fit(X, y, weight, groups=groups)
    trained = trained_on(clf, 40)
    assert not trained[weight == 0].any()
    assert len(set(groups[trained])) == 2
    assert clf.mean_[0] == X[trained].mean()


def test_a_class_with_one_recording_stays_in_training(clips):
    X, y, groups = clips
    y = np.where(groups == "recording 0", "horn", y)
    trained = trained_on(small(validation_fraction=0.5).fit(X, y, groups=groups), 40)
    assert trained[y == "horn"].all()
    assert set(y[~trained]) == {"bark", "siren"}


@pytest.mark.parametrize("other", ["X_val", "early_stopping=False"])
def test_groups_change_nothing_where_no_rows_are_set_aside(clips, other):
    X, y, groups = clips
    clf = small(early_stopping=other == "X_val")
    passed = {"X_val": X[:8], "y_val": y[:8]} if other == "X_val" else {}
    assert trained_on(clf.fit(X, y, groups=groups, **passed), 40).all()


# -- what cannot be ----------------------------------------------------------------------------------------------------


def test_no_recording_to_spare(clips):
    X, y, _ = clips
    with pytest.raises(ValueError, match="finds no validation recording: no class has enough recordings for training"):
        small(validation_fraction=0.1).fit(X, y, groups=y)


def test_recordings_larger_than_the_share_are_set_aside_all_the_same(clips):
    X, y, groups = clips
    held_out = ~trained_on(small(validation_fraction=0.1).fit(X, y, groups=groups), 40)
    assert len(set(groups[held_out])) == 2
    assert set(y[held_out]) == {"bark", "siren"}


@pytest.mark.parametrize("groups", [["a"] * 39, ["a"] * 41, []])
def test_groups_of_another_length(clips, groups):
    with pytest.raises(ValueError, match=f"inconsistent numbers of samples: .40, {len(groups)}."):
        small().fit(*clips[:2], groups=groups)


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("others", ["words", "numbers"])
def test_missing_groups_are_refused(clips, missing, others):
    groups = np.array([missing] + ([1.0] * 39 if others == "numbers" else ["a"] * 39), dtype=object)
    with pytest.raises(ValueError, match="groups must name every recording by a label of the same type, and some are"):
        small().fit(*clips[:2], groups=groups)
    with pytest.raises(ValueError, match="groups must name every recording"):
        small().fit(*clips[:2], groups=np.array([np.nan] * 40))


def test_groups_of_two_columns(clips):
    with pytest.raises(ValueError, match="1d array"):
        small().fit(*clips[:2], groups=np.zeros((40, 2)))


# -- on their way ------------------------------------------------------------------------------------------------------


def test_through_a_pipeline(clips):
    X, y, groups = clips
    expected = small(validation_fraction=0.2).fit(StandardScaler().fit_transform(X), y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(StandardScaler(), small(validation_fraction=0.2)).fit(X, y, groups=groups)
    assert pipeline[-1].history_ == expected.history_
    assert expected.history_ != small(validation_fraction=0.2).fit(StandardScaler().fit_transform(X), y).history_


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_through_a_search_by_recordings(clips, n_jobs):
    X, y, groups = clips
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(small(validation_fraction=0.2), {"dropout": [0.0, 0.2]}, cv=GroupKFold(5), n_jobs=n_jobs)
        with joblib.parallel_config("threading"):
            search.fit(X, y, groups=groups)
    trained = trained_on(search.best_estimator_, 40)
    assert trained.sum() == 32
    assert not set(groups[trained]) & set(groups[~trained])
    for i, (train, test) in enumerate(GroupKFold(5).split(X, y, groups)):
        clf = small(validation_fraction=0.2, dropout=0.2).fit(X[train], y[train], groups=groups[train])
        assert search.cv_results_[f"split{i}_test_score"][1] == clf.score(X[test], y[test])


def test_a_classifier_that_knows_no_groups_does_without(clips):
    X, y, groups = clips
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(LogisticRegression(), {"C": [1]}, cv=GroupKFold(2)).fit(np.log2(X), y, groups=groups)
    assert search.n_splits_ == 2

"""Models that the libraries of the field have trained and saved themselves, with data that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import joblib
import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLES, TRAINING = 1000, 400
NAMES = [f"sensor{number}" for number in range(6)]
ANIMALS = np.array(["cat", "dog", "owl"])
CITIES = np.array(["Zürich", "Łódź", "東京"])


@dataclass(frozen=True)
class Saved:
    """A folder with models and data; `wanted` holds what a model's own library answers, by its file."""

    folder: Path
    wanted: dict[str, NDArray[Any]]


def save_all(folder: Path) -> Saved:
    """Train, save by each library's own means, and return where."""
    table, mixed = _numbers(folder), _mixed(folder)
    wanted = {**_scikit_learn(folder, table, mixed), **_trees(folder, table)}
    return Saved(folder, wanted)


def _numbers(folder: Path) -> pd.DataFrame:
    """Make a table of numbers: three clusters, named by numbers, by words, and by a value."""
    random = np.random.default_rng(1)
    classes = random.integers(3, size=SAMPLES)
    centers = random.normal(size=(3, len(NAMES)))
    points = (centers[classes] + 0.4 * random.normal(size=(SAMPLES, len(NAMES)))).astype("f4")
    table = pd.DataFrame(points.astype("f8"), columns=NAMES)
    table["kind"], table["animal"] = classes, ANIMALS[classes]
    table["value"] = points @ np.arange(1, len(NAMES) + 1) + random.normal(size=SAMPLES)
    table["owl"] = table.animal == "owl"
    table[TRAINING:].to_csv(folder / "unlabeled.csv", columns=NAMES, index=False)
    for label in ("kind", "animal", "owl", "value"):
        table[TRAINING:].to_csv(folder / f"{label}.csv", columns=[*NAMES, label], index=False)
    unseen = table[TRAINING:]
    np.savez(
        folder / "value.npz",
        readings=unseen[NAMES].to_numpy("f4"),
        labels=unseen["value"].to_numpy(),
    )
    return table


def _mixed(folder: Path) -> pd.DataFrame:
    """Make a table of text, whole numbers, and numbers of which some are missing."""
    random = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "city": CITIES[random.integers(3, size=SAMPLES)],
            "age": random.integers(18, 80, size=SAMPLES),
            "income": random.normal(size=SAMPLES),
            "note": random.normal(size=SAMPLES),
        }
    )
    table.loc[::9, "income"] = np.nan
    table["bought"] = ((table.city == CITIES[2]) | (table.age > 60)).astype(int)
    table[TRAINING:].drop(columns="note").to_csv(folder / "mixed.csv", index=False)
    return table


def _documents(folder: Path) -> pd.DataFrame:
    """Make a table of short notes, with letters that only Unicode lowers."""
    random = np.random.default_rng(3)
    words = random.choice(["Pump", "Ventil", "UNDICHT", "ÖLDRUCK", "ok"], size=(SAMPLES, 5))
    table = pd.DataFrame({"note": [" ".join(row) for row in words]})
    table["leaks"] = table.note.str.contains("UNDICHT").astype(int)
    table[TRAINING:].to_csv(folder / "notes.csv", index=False)
    return table


def columns(*more: Any) -> ColumnTransformer:
    """Return what prepares the mixed table, numbers by `more` too; it drops one of its columns."""
    numbers = make_pipeline(SimpleImputer(), *more)
    return ColumnTransformer(
        [
            ("text", OneHotEncoder(handle_unknown="ignore"), ["city"]),
            ("n", numbers, ["age", "income"]),
        ]
    )


def _scikit_learn(
    folder: Path, table: pd.DataFrame, mixed: pd.DataFrame
) -> dict[str, NDArray[Any]]:
    head, rest = table[:TRAINING], table[TRAINING:]
    rows, bought = mixed.drop(columns="bought"), mixed.bought
    forest = RandomForestClassifier(5, max_depth=4, random_state=0)
    models: dict[str, tuple[Any, Any, Any]] = {
        "forest.joblib": (forest, head[NAMES].to_numpy(), head.kind),
        "words.pkl": (
            make_pipeline(StandardScaler(), LogisticRegression()),
            head[NAMES],
            head.animal,
        ),
        "search.joblib": (
            GridSearchCV(DecisionTreeClassifier(), {"max_depth": [2, 4]}, cv=2),
            head[NAMES],
            head.owl,
        ),
        "values.joblib": (
            GradientBoostingRegressor(n_estimators=5),
            head[NAMES].to_numpy(),
            head.value,
        ),
    }
    for name, model in {
        "mixed.joblib": RandomForestClassifier(5, max_depth=4, random_state=0),
        "mixed_xgboost.joblib": xgboost.XGBClassifier(n_estimators=5, n_jobs=1),
        "mixed_lightgbm.joblib": lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
    }.items():
        models[name] = (make_pipeline(columns(), model), rows[:TRAINING], bought[:TRAINING])
    trees = xgboost.XGBClassifier(n_estimators=5, n_jobs=1)
    scaled = make_pipeline(columns(StandardScaler()), trees)
    models["scaled.joblib"] = (scaled, rows[:TRAINING], bought[:TRAINING])
    words = _documents(folder)
    models["documents.joblib"] = (
        make_pipeline(TfidfVectorizer(), LinearSVC()), words.note[:TRAINING], words.leaks[:TRAINING]
    )  # fmt: skip
    models["clusters.joblib"] = (KMeans(3, n_init=1, random_state=0), head[NAMES].to_numpy(), None)
    for name, (model, features, labels) in models.items():
        joblib.dump(model.fit(features, labels), folder / name)
    unseen = rest[NAMES]
    return {
        "documents.joblib": models["documents.joblib"][0].predict(words.note[TRAINING:]),
        "clusters.joblib": models["clusters.joblib"][0].predict(unseen.to_numpy()),
        "forest.joblib": models["forest.joblib"][0].predict(unseen.to_numpy()),
        "words.pkl": models["words.pkl"][0].predict_proba(unseen).argmax(axis=1),
        "search.joblib": models["search.joblib"][0].predict(unseen),
        "values.joblib": models["values.joblib"][0].predict(unseen.to_numpy()),
        **{n: m[0].predict(rows[TRAINING:]) for n, m in models.items() if n.startswith("mixed")},
    }


def _trees(folder: Path, table: pd.DataFrame) -> dict[str, NDArray[Any]]:
    head, rest = table[:TRAINING], table[TRAINING:]
    stopping = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1)
    seen = [(rest[NAMES], rest.kind)]
    stopping.fit(head[NAMES], head.kind, eval_set=seen, verbose=False)
    joblib.dump(stopping, folder / "xgboost.pkl")
    plain = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(head[NAMES], head.kind)
    plain.save_model(folder / "xgboost.json")
    numbers = xgboost.XGBRegressor(n_estimators=5, n_jobs=1).fit(head[NAMES], head.value)
    numbers.save_model(folder / "xgboost.ubj")
    words = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)
    words.fit(head[NAMES], head.animal)
    joblib.dump(words, folder / "lightgbm.pkl")
    words.booster_.save_model(folder / "lightgbm.txt")
    places = np.asarray(words.predict_proba(rest[NAMES])).argmax(axis=1)
    return {
        "xgboost.pkl": stopping.predict(rest[NAMES]),
        "xgboost.json": plain.predict(rest[NAMES]),
        "xgboost.ubj": numbers.predict(rest[NAMES]),
        "lightgbm.pkl": places,
        "lightgbm.txt": places,
    }

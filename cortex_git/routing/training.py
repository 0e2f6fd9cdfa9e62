"""Making a model from labelled sentences, with scikit-learn, which only training needs.

Owns how it is fitted and calibrated. The same sentences give the same file on the same machine.
"""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cortex_git.routing import Layer, features
from cortex_git.routing.classifier import Head, Model
from cortex_git.routing.feedback import Sentence
from cortex_git.routing.semantic import Semantic

STRENGTH = 10.0
"""How little weights are held down (`C` of scikit-learn), by cross-validation: docs/routing-model.md."""
COUNTS = 0.5
"""How much plain counts of who uses a bucket (naive Bayes) are added to what is fitted; by the same."""
SMOOTHING = 0.1
"""What every bucket counts before anything is seen."""
SEVERAL = 3.0
"""What a sentence for several experts counts: there are few of them."""
FOLDS = 5
CAUTION = 0.9
"""What the logits of calibrated chances are drawn in by: sentences of other projects are less like those that
it is trained on than these are like each other."""


class Classifiers:
    """The trainer of layer 2."""

    def train(self, sentences: Sequence[Sentence], path: Path) -> None:
        """Make a model of the sentences and write it to `path`."""
        path.write_bytes(train(sentences).to_bytes())

    def load(self, path: Path | None) -> Layer:
        """The layer of the model at `path`; None: the packaged one."""
        return Semantic.load(path)


def train(sentences: Sequence[Sentence]) -> Model:
    """A model of the sentences: for each expert a line of its own against all others.

    Its chances are calibrated on parts that were left out of the fit (Platt, 1999).
    """
    import sklearn.linear_model  # noqa: F401 - only what is loaded is limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # with several threads the order of sums, and so the last bits, change
        return _trained(sentences)


def _trained(sentences: Sequence[Sentence]) -> Model:
    import numpy as np

    experts = list(dict.fromkeys(name for one in sentences for name in one.experts))
    experts.sort(key=lambda name: (-sum(name in one.experts for one in sentences), name))
    step, rarities = _rarities(sentences)
    matrix = _matrix(sentences, [1.0 + step * value for value in rarities])
    weights = np.array([one.weight * (SEVERAL if len(one.experts) > 1 else 1.0) for one in sentences])
    rows, heads = [], []
    for expert in experts:
        needed = np.array([expert in one.experts for one in sentences])
        slope, offset = _calibrated(matrix, needed, weights)
        line, bias = _fitted(matrix, needed, weights)
        scale = float(np.abs(line).max()) / 127 or 1.0
        rows.append(np.rint(line / scale).astype(np.int8))
        heads.append(Head(expert, _short(scale), _short(bias), _short(slope), _short(offset)))
    return Model(tuple(heads), np.stack(rows, axis=1).tobytes(), step, rarities, about(sentences))


def about(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """What a model says of the sentences that it was trained on."""
    lines = "\n".join(f"{one.text}\t{one.experts}\t{one.weight}" for one in sentences)
    return {"sentences": len(sentences), "digest": hashlib.sha256(lines.encode()).hexdigest()[:16]}


def _short(value: float) -> float:
    """Few enough digits that the last ones, which differ between machines, are not kept."""
    return float(f"{value:.6g}")


def _rarities(sentences: Sequence[Sentence]) -> tuple[float, bytes]:
    """How rare each bucket is among the sentences (the logarithm of its inverse document frequency)."""
    seen = [0] * features.BUCKETS
    for one in sentences:
        for counts in features.counted(one.text):
            for number in counts:
                seen[number] += 1
    total = 1 + len(sentences)
    step = _short(math.log(total) / features.RAREST)
    steps = (round(math.log(total / (1 + count)) / step) for count in seen)
    return step, bytes(min(features.RAREST, number) for number in steps)


def _matrix(sentences: Sequence[Sentence], rarity: Sequence[float]) -> Any:
    """The sentences as rows of buckets."""
    from scipy.sparse import csr_matrix

    values: list[float] = []
    columns: list[int] = []
    ends = [0]
    for one in sentences:
        vector = features.weighed(one.text, rarity)
        columns += vector.keys()
        values += vector.values()
        ends.append(len(columns))
    return csr_matrix((values, columns, ends), shape=(len(sentences), features.BUCKETS))


def _fitted(matrix: Any, needed: Any, weights: Any) -> tuple[Any, float]:
    """A weight for each bucket, and what is added: logistic regression, and some of naive Bayes.

    Both are linear, so their sum is one model; together they are better on other people's sentences than
    either (cf. Wang and Manning, 2012).
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=STRENGTH, solver="liblinear", random_state=0, max_iter=1000)
    model.fit(matrix, needed, sample_weight=weights)
    ours, others = (
        SMOOTHING + np.asarray((matrix[side].multiply(weights[side][:, None])).sum(axis=0)).ravel()
        for side in (needed, ~needed)
    )
    counts = np.log((ours / ours.sum()) / (others / others.sum()))
    return model.coef_[0] + COUNTS * counts, float(model.intercept_[0])


def _calibrated(matrix: Any, needed: Any, weights: Any) -> tuple[float, float]:
    """Slope and offset that turn the sums for sentences left out of a fit into chances."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    sums = np.zeros(len(needed))
    for kept, left in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(matrix, needed):
        line, bias = _fitted(matrix[kept], needed[kept], weights[kept])
        sums[left] = matrix[left] @ line + bias
    curve = LogisticRegression(C=1e6, solver="liblinear", random_state=0).fit(sums[:, None], needed)
    return CAUTION * float(curve.coef_[0][0]), CAUTION * float(curve.intercept_[0])

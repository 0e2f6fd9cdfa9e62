"""Which classifier layer 2 should be: several, trained on the same sentences, judged on those held out.

Needs `pip install -e '.[train]' wordllama`. Prints a Markdown table of right answers for sentences for one
expert: of those held out by kind, and of each training file with the classifier trained on the others.
"""

import json
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from cortex_git.routing.feedback import Sentence
from cortex_git.routing.training import train

EXPERTS = ["security", "development", "inventory", "documentation"]
Rows = Sequence[dict[str, Any]]
Answer = Callable[[Rows], Any]
"""Sentences to a matrix, one row each, one column an expert: the largest is the answer."""


def texts(rows: Rows) -> list[str]:
    return [row["text"] for row in rows]


def primaries(rows: Rows) -> Any:
    return np.array([EXPERTS.index(row["experts"][0]) for row in rows])


class Vectors:
    """The vectors bundled with wordllama, read from its files: 256 numbers for each of 32,000 tokens."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        found = find_spec("wordllama")
        if found is None or found.origin is None:
            raise SystemExit("wordllama is not installed: pip install wordllama")
        folder = Path(found.origin).parent
        self._tokens = Tokenizer.from_file(str(next((folder / "tokenizers").glob("*.json"))))
        self._tokens.no_padding()
        path = folder / "weights" / "l2_supercat_256.safetensors"
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            (entry,) = (v for k, v in json.loads(file.read(length)).items() if k != "__metadata__")
        start = 8 + length + entry["data_offsets"][0]
        self._vectors = np.memmap(path, np.float16, "r", start, tuple(entry["shape"]))

    def of(self, rows: Rows, *, extremes: bool = False) -> Any:
        """The mean of a text's vectors, with `extremes` also the largest and the smallest of each number."""
        found = []
        for encoded in self._tokens.encode_batch(texts(rows), add_special_tokens=False):
            vectors = self._vectors[encoded.ids or [0]].astype(np.float32)
            parts = [vectors.mean(0)] + ([vectors.max(0), vectors.min(0)] if extremes else [])
            found.append(np.concatenate(parts))
        return np.array(found)


def counts() -> Any:
    """Words and pairs, and runs of 2 to 5 letters."""
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2),
    )


def by_counts(model: Callable[[], Any]) -> Callable[[Rows], Answer]:
    def fit(rows: Rows) -> Answer:
        seen, fitted = counts(), model()
        fitted.fit(seen.fit_transform(texts(rows)), primaries(rows))
        return lambda others: fitted.predict_proba(seen.transform(texts(others)))

    return fit


def by_vectors(
    model: Callable[[], Any], vectors: Vectors, *, extremes: bool = False
) -> Callable[[Rows], Answer]:
    def fit(rows: Rows) -> Answer:
        scaler, fitted = StandardScaler(), model()
        fitted.fit(scaler.fit_transform(vectors.of(rows, extremes=extremes)), primaries(rows))
        answer = getattr(fitted, "predict_proba", fitted.decision_function)
        return lambda others: answer(scaler.transform(vectors.of(others, extremes=extremes)))

    return fit


def by_both(vectors: Vectors) -> Callable[[Rows], Answer]:
    """Counts and vectors beside each other."""

    def fit(rows: Rows) -> Answer:
        seen, scaler = counts(), StandardScaler()
        fitted = LogisticRegression(C=10, max_iter=2000)
        known = seen.fit_transform(texts(rows))
        dense = scaler.fit_transform(vectors.of(rows)) / 32
        fitted.fit(hstack([known, csr_matrix(dense)]).tocsr(), primaries(rows))

        def answer(others: Rows) -> Any:
            dense = scaler.transform(vectors.of(others)) / 32
            return fitted.predict_proba(hstack([seen.transform(texts(others)), csr_matrix(dense)]).tocsr())

        return answer

    return fit


def ours(rows: Rows) -> Answer:
    """What is packaged: logistic regression for each expert, and half as much of naive Bayes."""
    model = train([Sentence(row["text"], tuple(row["experts"])) for row in rows])
    order = [[head.expert for head in model.heads].index(expert) for expert in EXPERTS]
    return lambda others: np.array([model.sums(model.vector(text)) for text in texts(others)])[:, order]


def right(answer: Answer, rows: Rows) -> float:
    return float((answer(rows).argmax(1) == primaries(rows)).mean())


def main() -> None:
    """Print the table."""
    folder = files("cortex_git.routing") / "training"
    sources = {
        entry.name: [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".jsonl")
    }
    held = [row for row in sources.pop("heldout.jsonl") if len(row["experts"]) == 1]
    plain, hard = ([row for row in held if bool(row.get("hard")) is wanted] for wanted in (False, True))
    vectors = Vectors()
    candidates = {
        "ours: the next two together, calibrated": ours,
        "naive Bayes over words and letters": by_counts(lambda: MultinomialNB(alpha=0.1)),
        "logistic regression over words and letters": by_counts(
            lambda: LogisticRegression(C=10, max_iter=2000)
        ),
        "logistic regression over wordllama's mean": by_vectors(
            lambda: LogisticRegression(C=0.01, max_iter=2000), vectors
        ),
        "the same over mean, largest and smallest": by_vectors(
            lambda: LogisticRegression(C=0.003, max_iter=2000), vectors, extremes=True
        ),
        "support vectors (RBF) over wordllama's mean": by_vectors(lambda: SVC(C=3), vectors),
        "logistic regression over both": by_both(vectors),
    }
    write = sys.stdout.write
    write(f"| classifier | plain | hard | {' | '.join(f'others → {name}' for name in sources)} |\n")
    write("| --- |" + " --- |" * (2 + len(sources)) + "\n")
    for name, fit in candidates.items():
        answer = fit([row for rows in sources.values() for row in rows])
        across = [
            right(
                fit([row for other, more in sources.items() if other != out for row in more]),
                [row for row in rows if len(row["experts"]) == 1],
            )
            for out, rows in sources.items()
        ]
        figures = [right(answer, plain), right(answer, hard), *across]
        write(f"| {name} | {' | '.join(f'{figure:.1%}' for figure in figures)} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

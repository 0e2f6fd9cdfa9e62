"""Make the router's packaged model from the packaged sentences: `python scripts/train_router.py`.

Needs `pip install -e '.[train]'`. `cortex-git bench route` says what the model is worth.
"""

import sys

from cortex_git.routing.classifier import PACKAGED
from cortex_git.routing.experts import OUR_NAMES
from cortex_git.routing.feedback import Sentence
from cortex_git.routing.sentences import packaged
from cortex_git.routing.training import train


def main() -> None:
    """Train, and put the model into its place in the package."""
    model = train([Sentence(case.text, case.experts) for case in packaged(OUR_NAMES)])
    data = model.to_bytes()
    PACKAGED.write_bytes(data)
    sys.stdout.write(f"{PACKAGED}: {len(data):,} bytes, {model.about['sentences']:,} sentences\n")


if __name__ == "__main__":
    main()

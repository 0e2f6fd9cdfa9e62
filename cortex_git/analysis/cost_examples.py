"""The published examples of what work costs, each computed anew beside the figure that was published.

Owns those figures. One that does not come out stays as it was published, is marked, and shows the difference.
"""

from dataclasses import dataclass
from decimal import Decimal

from cortex_git.analysis.cost import Price, Tokens, cents, parallel, sequential

PER_1K = Decimal("0.015")
TASK_TOKENS = 8_000
INSTANCE_HOUR = Decimal("0.50")


@dataclass(frozen=True, slots=True)
class Example:
    """One published figure, in US dollars."""

    name: str
    how: str
    """How it is computed, in words."""
    published: Decimal
    computed: Decimal
    """Not rounded."""

    @property
    def difference(self) -> Decimal:
        """What is computed less what was published, both to the cent."""
        return cents(self.computed) - self.published

    @property
    def agrees(self) -> bool:
        return self.difference == 0


def examples() -> list[Example]:
    """All of them, in the order of the issue and the design that name them."""
    tokens = Tokens(unknown=10 * TASK_TOKENS)
    of_tokens = Price.flat(PER_1K).of_tokens(tokens)
    one = sequential(10, Decimal(15))
    twenty = parallel(10, Decimal(15), instances=20, per_instance=1)
    same = "10 tasks x 8,000 tokens x $0.015 for 1,000"
    return [
        Example("tokens, one after another", same, Decimal("1.20"), of_tokens),
        Example("tokens, in parallel", f"{same}: the same tokens", Decimal("1.20"), of_tokens),
        Example(
            "one instance",
            "10 tasks x 15 s = 150 s x $0.50 an hour",
            Decimal("0.02"),
            one.usd(INSTANCE_HOUR) or Decimal(0),
        ),
        Example(
            "twenty instances",
            "20 instances x 15 s x $0.50 an hour",
            Decimal("0.04"),
            twenty.usd(INSTANCE_HOUR) or Decimal(0),
        ),
        Example("240 iterations", "240 x $0.04", Decimal("4.80"), 240 * Decimal("0.04")),
        Example(
            "1,000 repositories",
            "the same text's other figure; what either is made of was not published",
            Decimal("12.00"),
            Decimal("24.00"),
        ),
    ]

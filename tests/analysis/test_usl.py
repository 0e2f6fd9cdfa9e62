"""The Universal Scalability Law: what is fitted, what is refused, and where adding workers stops paying."""

import random
from math import inf, isfinite, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_git.analysis.usl import Interval, Point, fit, measured
from cortex_git.errors import BadInput, EnvironmentProblem

COUNTS = (1, 2, 4, 8, 16, 32, 64)


def law(workers: int, rate: float, sigma: float, kappa: float) -> float:
    return rate * workers / (1 + sigma * (workers - 1) + kappa * workers * (workers - 1))


def points(rate: float, sigma: float, kappa: float, counts: tuple[int, ...] = COUNTS) -> list[Point]:
    return [Point(count, law(count, rate, sigma, kappa)) for count in counts]


@pytest.mark.parametrize(
    ("rate", "sigma", "kappa"),
    [(50.0, 0.02, 0.0005), (1000.0, 0.3, 0.0), (0.7, 0.0, 0.002), (60.0, 0.0, 0.0), (8000.0, 1.0, 0.01)],
    ids=["both", "queueing", "talking", "linear", "flat"],
)
def test_known_parameters_come_back(rate: float, sigma: float, kappa: float) -> None:
    found = fit(points(rate, sigma, kappa))
    assert found.rate_of_one == pytest.approx(rate, rel=1e-6)
    assert found.sigma == pytest.approx(sigma, abs=1e-6)
    assert found.kappa == pytest.approx(kappa, abs=1e-8)
    assert found.r2 == pytest.approx(1.0)
    for workers in (1, 3, 64, 128):
        low, high = found.band(workers)
        assert low == pytest.approx(high, rel=1e-4)


def test_noise_is_within_the_band() -> None:
    """Of 40 noisy measurements, the band holds the true curve in nearly all, and the parameters are near."""
    held, sigmas = 0, []
    for seed in range(40):
        chance = random.Random(seed)
        noisy = [
            Point(one.workers, one.tasks_per_min * (1 + chance.gauss(0, 0.03)))
            for one in points(50.0, 0.05, 0.001)
        ]
        found = fit(noisy)
        low, high = found.band(20)
        held += low <= law(20, 50.0, 0.05, 0.001) <= high
        sigmas.append(found.sigma)
    assert held >= 34
    assert sum(sigmas) / len(sigmas) == pytest.approx(0.05, rel=0.2)


def test_peak_and_sweet_spot() -> None:
    found = fit(points(50.0, 0.0, 0.0004))
    assert found.peak() == 50
    sweet = found.sweet_spot()
    gain = found.per_min(sweet.workers) - found.per_min(sweet.workers - 1)
    further = found.per_min(sweet.workers + 1) - found.per_min(sweet.workers)
    assert gain >= found.per_min(1) / 2 > further
    assert (sweet.extrapolated, sweet.capped) == (False, False)


def test_the_curve_is_followed_to_twice_what_was_measured() -> None:
    found = fit(points(50.0, 0.0, 0.0, (1, 2, 3, 5)))
    assert found.peak() is None
    sweet = found.sweet_spot()
    assert (sweet.workers, sweet.extrapolated, sweet.capped) == (10, True, True)
    beyond = fit(points(50.0, 0.0, 0.0001, (1, 2, 3, 5)))
    assert beyond.peak() is None
    near = fit(points(50.0, 0.05, 0.002, (1, 2, 4, 5)))
    assert near.sweet_spot().workers == 6
    assert (near.sweet_spot().extrapolated, near.sweet_spot().capped) == (True, False)


def test_where_more_workers_only_harm() -> None:
    found = fit([Point(1, 1221), Point(5, 422), Point(10, 214), Point(20, 133), Point(40, 75)])
    assert (found.peak(), found.sweet_spot().workers) == (1, 1)


def test_longer_tasks_move_it_away() -> None:
    """What tasks cost each other stays the same number of seconds."""
    found = fit(points(50.0, 0.05, 0.0005), task_s=1.2)
    longer = found.for_task(12.0)
    assert longer.seconds(10) == pytest.approx(found.seconds(10) + 10.8)
    assert longer.sigma < found.sigma
    assert longer.sweet_spot().workers > found.sweet_spot().workers
    assert found.for_task(1.2) == found
    assert fit(points(50.0, 0.05, 0.0005)).for_task(12.0).sigma == pytest.approx(0.05)


def test_no_worker_is_faster_than_its_tasks() -> None:
    found = fit([Point(2, 110), Point(5, 260), Point(10, 480), Point(20, 900)], task_s=1.2)
    assert found.rate_of_one <= 50


@pytest.mark.parametrize("counts", [(), (4,), (1, 2, 3), (5, 5, 10, 10, 20, 20)], ids=str)
def test_too_few_numbers_of_workers_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="needs 4: it passes through any three"):
        fit(points(50.0, 0.1, 0.0, counts))


@pytest.mark.parametrize("rate", [0.0, -1.0, nan, inf], ids=str)
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(BadInput, match="is no throughput"):
        fit([*points(50.0, 0.1, 0.0), Point(3, rate)])


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(EnvironmentProblem, match=r"pip install 'cortex-git\[plan\]'"):
        fit(points(50.0, 0.1, 0.0))


@given(
    st.lists(
        st.tuples(st.integers(1, 1000), st.floats(1e-3, 1e6)),
        min_size=4,
        max_size=12,
        unique_by=lambda p: p[0],
    )
)
def test_whatever_is_measured_the_figures_are_numbers(rows: list[tuple[int, float]]) -> None:
    found = fit([Point(*row) for row in rows])
    figures = [
        found.sigma,
        found.kappa,
        found.rate_of_one,
        found.per_min(found.most),
        *found.band(found.most),
    ]
    assert all(isfinite(figure) and figure >= 0 for figure in figures)
    assert 1 <= found.sweet_spot().workers <= found.most
    assert found.peak() is None or 1 <= (found.peak() or 0) <= found.most


def test_throughput_from_samples() -> None:
    full = [Interval(5.0, 4.0, 100, 10)] * 6
    said_nothing = [
        Interval(5.0, 8.0, 3, 50),  # fewer tasks than workers
        Interval(5.0, 2.5, 100, 50),  # workers came or went
        Interval(0.0, 4.0, 100, 50),
        *[Interval(5.0, 3.0, 100, 1)] * 4,  # too few tasks
        Interval(5.0, 9.0, 100, 500),  # too short
    ]
    assert measured([*full, *said_nothing]) == [Point(4, 120.0)]
    assert measured([]) == []

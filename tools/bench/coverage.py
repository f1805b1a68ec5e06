"""How often intervals hold the true number, and verdicts are wrong: the tables of docs/statistics.md.

python tools/bench/coverage.py [--quick]

Subjects, records and seeds are drawn from worlds whose true numbers are known; the intervals and verdicts are
the toolkit's own (`offside_eval.statistics`, `compare.quantities`, `findings.decide`). In brackets, for comparison,
plain t intervals of the same numbers. Prints Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from offside_eval.compare.quantities import Figure, Quantity, combine, difference, mean_of, over_seeds
from offside_eval.findings import decide
from offside_eval.statistics import ClusterSums, Estimate, Interval, holm, paired_test

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SUBJECTS = (3, 6, 12, 24, 40, 80)
LEVELS = (0.5, 0.9, 0.97)
"""Shares that are right (or kept, or forgotten): in the middle, at the threshold of the findings, near the ceiling."""
VANILLA, RETAIN_ONLY = 0.97, 0.05
THRESHOLD = 0.1
FAMILY = 5
GOAL, MOST_WRONG = 0.93, 0.05
SEED = 0


def even(rng: np.random.Generator, level: float, shape: tuple[int, ...]) -> Floats:
    """All subjects alike: a share `level` of the records of each."""
    return np.full(shape, level)


def spread(rng: np.random.Generator, level: float, shape: tuple[int, ...]) -> Floats:
    """Beta-binomial: subjects differ so that records of one correlate by 0.2."""
    return rng.beta(4 * level, 4 * (1 - level), shape)


def all_or_nothing(rng: np.random.Generator, level: float, shape: tuple[int, ...]) -> Floats:
    """A share `level` of the subjects with all their records, the others with none."""
    return (rng.random(shape) < level).astype(np.float64)


def rare_loss(rng: np.random.Generator, level: float, shape: tuple[int, ...]) -> Floats:
    """Nearly all records of most subjects, and none of a few."""
    return np.where(rng.random(shape) < level / 0.98, 0.98, 0.0)


WORLDS: Mapping[str, Callable[[np.random.Generator, float, tuple[int, ...]], Floats]] = {
    "even": even,
    "spread": spread,
    "all or nothing": all_or_nothing,
    "rare loss": rare_loss,
}


def sizes(rng: np.random.Generator, equal: bool, shape: tuple[int, ...]) -> Ints:
    """Records of each subject: 8, or log-normal around 6 from 1 to 40."""
    if equal:
        return np.full(shape, 8)
    return np.clip(np.exp(rng.normal(1.8, 0.7, shape)).round().astype(np.int64), 1, 40)


@dataclass(frozen=True)
class Draw:
    """Simulated studies in one world.

    Args:
        rng: Source of chance.
        world: Key of `WORLDS`.
        n: Records by study and subject, of shape `(studies, subjects)`.
    """

    rng: np.random.Generator
    world: str
    n: Ints

    @property
    def names(self) -> tuple[str, ...]:
        """The subjects."""
        return tuple(f"{i:03}" for i in range(self.n.shape[1]))

    def levels(self, level: float) -> Floats:
        """The shares of the subjects of each study."""
        return WORLDS[self.world](self.rng, level, self.n.shape)

    def vanilla(self) -> Ints:
        """Right answers of vanilla, which knows 0.97, some subjects better than others."""
        return self.rng.binomial(self.n, self.rng.beta(9 * VANILLA, 9 * (1 - VANILLA), self.n.shape))

    def mean(self, right: Ints, *, learnt: bool = False) -> Quantity:
        """The mean of each study."""
        return mean_of(ClusterSums(self.names, right.astype(np.float64), self.n.astype(np.float64), learnt))


Number = Callable[[Draw, float], tuple[Quantity, float]]
"""A number in each study, and what it truly is, by level."""


def mean(draw: Draw, level: float) -> tuple[Quantity, float]:
    """Mean score of one model."""
    return draw.mean(draw.rng.binomial(draw.n, draw.levels(level))), level


def loss(draw: Draw, level: float) -> tuple[Quantity, float]:
    """1 - keeping: a ratio of two models' means on the same records."""
    v = draw.vanilla()
    u = draw.rng.binomial(v, draw.levels(level))
    return combine(lambda x: 1 - x[0] / x[1], draw.mean(u), draw.mean(v, learnt=True)), 1 - level


def forgetting(draw: Draw, level: float) -> tuple[Quantity, float]:
    """Forgetting: a ratio of differences of three models' means."""
    v = draw.vanilla()
    u = draw.rng.binomial(v, 1 - draw.levels(level))
    ro = draw.rng.binomial(draw.n, RETAIN_ONLY)
    three = (draw.mean(v, learnt=True), draw.mean(u), draw.mean(ro))
    found = combine(lambda x: (x[0] - x[1]) / (x[0] - x[2]), *three)
    return found, VANILLA * level / (VANILLA - RETAIN_ONLY)


def gap(draw: Draw, level: float) -> tuple[Quantity, float]:
    """Difference of two forgettings of the same subjects, 0.1 apart: of text and of pictures."""
    text, high = forgetting(draw, level)
    picture, low = forgetting(draw, level - THRESHOLD)
    return difference(text, picture), high - low


def recovery(draw: Draw, level: float) -> tuple[Quantity, float]:
    """Excess recovery: a difference of differences, of four models."""
    before = draw.rng.binomial(draw.n, 0.03)
    after = before + draw.rng.binomial(draw.n - before, 1 - draw.levels(level))
    one, other = (draw.mean(draw.rng.binomial(draw.n, RETAIN_ONLY)) for _ in range(2))
    return difference(difference(draw.mean(after), draw.mean(before)), difference(one, other)), 0.97 * (1 - level)


NUMBERS: Mapping[str, Number] = {
    "mean": mean,
    "ratio: loss": loss,
    "ratio of differences: forgetting": forgetting,
    "difference of such: gap": gap,
    "difference of differences: recovery": recovery,
}


def estimated(number: Quantity) -> Estimate:
    """What the intervals of each study rest on."""
    found = number.estimate
    assert found is not None
    return found


def coverage(number: Quantity, truth: float) -> tuple[float, float, float]:
    """Shares of intervals that hold the truth, the toolkit's and plain t ones; mean width of the toolkit's."""
    e = estimated(number)
    low, high = e.bounds()
    reach = scipy.special.stdtrit(e.n_clusters - 1, 0.975) * e.errors[:, 0]
    held, plain = (low <= truth) & (truth <= high), np.abs(e.centers[:, 0] - truth) <= reach
    return float(held.mean()), float(plain.mean()), float((high - low)[np.isfinite(high - low)].mean())


def coverage_table(rng: np.random.Generator, n: int) -> list[str]:
    """Lowest coverage of each number and world, over levels and equal and unequal sizes."""
    lines = table(["number", "subjects differ", *map(str, SUBJECTS)])
    for number, made in NUMBERS.items():
        for world in WORLDS:
            cells = []
            for k in SUBJECTS:
                found = [
                    coverage(*made(Draw(rng, world, sizes(rng, equal, (n, k))), level))
                    for level in LEVELS
                    for equal in (True, False)
                ]
                ours, plain = (min(f[i] for f in found) for i in (0, 1))
                width = np.mean([f[2] for f in found])
                missed = " **!**" if ours < GOAL and k >= 6 else ""
                cells.append(f"{ours:.3f} ({plain:.2f}) ±{width / 2:.2f}{missed}")
            lines.append(row([number, world, *cells]))
    return lines


def verdict_table(rng: np.random.Generator, n: int) -> list[str]:
    """Shares of verdicts on a loss, by what is true; alone, and as one of five findings with the same truth."""
    lines = table(["true loss (threshold 0.1)", "subjects differ", "share of", *map(str, SUBJECTS)])
    asked = (
        (0.1, "not seen", 1, "wrong"),
        (0.1, "seen", 1, "wrong"),
        (0.1, "any of five", FAMILY, "wrong"),
        (0.12, "not seen", 1, "wrong"),
        (0.0, "not seen", 1, "right"),
        (0.3, "seen", 1, "right"),
    )
    for true_loss, verdict, family, kind in asked:
        for world in WORLDS:
            if true_loss == 0.0 and world != "even":
                continue
            cells = []
            for k in SUBJECTS:
                shares = [
                    _verdicts(Draw(rng, world, sizes(rng, equal, (n * family, k))), true_loss, family, verdict)
                    for equal in (True, False)
                ]
                worst = max(shares) if kind == "wrong" else min(shares)
                missed = " **!**" if kind == "wrong" and worst > MOST_WRONG else ""
                cells.append(f"{worst:.3f}{missed}")
            lines.append(row([f"{true_loss:g}", world, f"{kind}: {verdict}", *cells]))
    return lines


def _verdicts(draw: Draw, true_loss: float, family: int, verdict: str) -> float:
    """Share of families in which the verdict is given (in any of five: either one)."""
    e = estimated(loss(draw, 1 - true_loss)[0])
    bounds, p_values = np.stack(e.bounds(), axis=1), e.p_values(THRESHOLD)
    hits = []
    for start in range(0, len(p_values), family):
        given = []
        for i, p in enumerate(holm(p_values[start : start + family].tolist()), start):
            low, high = (float(bound) for bound in bounds[i])
            found = Interval(float(e.centers[i, 0]), low, high, e.n, e.n_clusters)
            given.append(decide(Figure(found), THRESHOLD, p)[0])
        hits.append(verdict in given if family == 1 else any(g != "can't tell" for g in given))
    return float(np.mean(hits))


def steady(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Seeds differ by a standard deviation of 0.06."""
    return rng.normal(0.8, 0.06, shape)


def one_wrecks(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """One seed in five keeps only half of what the others keep."""
    return np.where(rng.random(shape) < 0.2, 0.45, 0.8875)


def seed_table(rng: np.random.Generator, n: int) -> list[str]:
    """Coverage of what is true of the method (over seeds) and of these weights."""
    lines = table(["seeds", "seeds differ", "truth about", *map(str, SUBJECTS)])
    for seeds in (1, 2, 3, 5):
        for name, world in (("steadily", steady), ("one in five wrecks", one_wrecks)):
            found = [_over_seeds(rng, world, seeds, k, n) for k in SUBJECTS]
            about = ("these weights", "the method") if seeds == 1 else ("the method",)
            for what in about:
                cells = [f"{f[what]:.3f}" + (" **!**" if f[what] < GOAL and k >= 6 else "")
                         for f, k in zip(found, SUBJECTS, strict=True)]  # fmt: skip
                lines.append(row([str(seeds), name, what, *cells]))
    return lines


def _over_seeds(rng: np.random.Generator, world: Callable[..., Floats], seeds: int, k: int, n: int) -> dict[str, float]:
    of_seed, subject = world(rng, (seeds, n, 1)), rng.normal(0, 0.08, (n, k))
    names, counts = tuple(f"{i:03}" for i in range(k)), np.full((n, k), 8)
    parts = []
    for level in of_seed:
        right = rng.binomial(counts, np.clip(level + subject + rng.normal(0, 0.05, (n, k)), 0, 1))
        parts.append(mean_of(ClusterSums(names, right.astype(np.float64), counts.astype(np.float64))))
    low, high = estimated(over_seeds(parts)).bounds()
    truths = {"these weights": of_seed[0, :, 0], "the method": np.full(n, 0.8)}
    return {what: float(((low <= truth) & (truth <= high)).mean()) for what, truth in truths.items()}


def test_table(rng: np.random.Generator, n: int) -> list[str]:
    """How often the paired test says p <= 0.05 although the models truly score the same."""
    lines = table(["differences between subjects", *map(str, SUBJECTS)])
    worlds: Mapping[str, Callable[[int], Floats]] = {
        "normal": lambda k: rng.normal(0, 0.2, k),
        "all or nothing: one in ten loses 0.9, the others gain 0.1": lambda k: np.where(rng.random(k) < 0.1, -0.9, 0.1),
    }
    for name, world in worlds.items():
        cells = []
        for k in SUBJECTS:
            names = [f"{i:03}" for i in range(k)]
            rejected = [paired_test(world(k), np.zeros(k), names) <= 0.05 for _ in range(n)]
            cells.append(f"{np.mean(rejected):.3f}")
        lines.append(row([name, *cells]))
    return lines


def table(heads: Sequence[str]) -> list[str]:
    """Head of a Markdown table."""
    return [row(heads), row(["---"] * len(heads))]


def row(cells: Sequence[str]) -> str:
    """A row of it."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the tables and what they were made with."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the studies: to see that it works")
    n = 200 if parser.parse_args().quick else 4000
    start = time.process_time()
    rng = np.random.default_rng(SEED)
    for title, made, studies in (
        ("Coverage of 95 % intervals", coverage_table, n),
        ("Verdicts", verdict_table, n),
        ("Seeds", seed_table, n),
        ("Paired test", test_table, n // 4),
    ):
        print(f"\n### {title} ({studies:,} studies a cell)\n", *made(rng, studies), sep="\n", flush=True)
    took, cores = time.process_time() - start, os.cpu_count()
    print(
        f"\nSeed {SEED}; {took:.0f} CPU seconds on one core of {cores} ({platform.machine()}), "
        f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}."
    )


if __name__ == "__main__":
    main()

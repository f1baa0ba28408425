"""A simulated machine with noise: its speed drifts, other tenants steal time, and each run has noise of its own.

All noise is in natural logarithms: 0.05 is about 5 %.
"""

import math
import random
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A measured figure: its own noise, and how much of the machine's speed it follows."""

    name: str
    noise: float
    """Standard deviation of a run, apart from the machine's speed."""
    follows: float
    """1: half the speed halves the figure. 0: it does not depend on the speed."""


FIGURES = (
    Figure(name="throughput", noise=0.04, follows=1.0),
    Figure(name="p99", noise=0.15, follows=1.0),
    Figure(name="server CPU", noise=0.03, follows=0.7),
    Figure(name="bytes to disk", noise=0.15, follows=0.1),
)
"""docs/method.md says how these figures were measured."""

T3_QUARTILES = 1.134
"""The quartiles of Student's t distribution with 3 degrees of freedom, relative to those of a normal one."""

CONTROL = Figure(name="control", noise=0.02, follows=1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What happens on a machine."""

    name: str
    drift: float = 0.0
    """Standard deviation of the machine's speed over hours."""
    memory: float = 0.97
    """Correlation of the speeds at two runs that follow each other: the speed changes within minutes."""
    bursts: float = 0.0
    """Share of runs from which other tenants steal 10 to 40 % of the time."""
    heavy: bool = False
    """Whether a run's noise is that of Student's t distribution with 3 degrees of freedom, else normal."""
    own_drift: float = 0.0
    """Standard deviation of a drift of one architecture alone, which no pairing can remove."""


CALM = Noise(name="calm")
DRIFT = Noise(name="drift", drift=0.1)
STEAL = Noise(name="bursts of steal", bursts=0.05)
TAILS = Noise(name="heavy tails", heavy=True)
REALISTIC = Noise(name="all of them", drift=0.1, bursts=0.03, heavy=True)
WORLDS = (
    CALM,
    DRIFT,
    STEAL,
    TAILS,
    REALISTIC,
    replace(REALISTIC, name="all, and each architecture drifts by 1 %", own_drift=0.01),
    replace(REALISTIC, name="all, and each architecture drifts by 3 %", own_drift=0.03),
)


class Drift:
    """An autoregressive process of first order, with a standard deviation that does not change."""

    def __init__(self, draws: random.Random, deviation: float, memory: float) -> None:
        self._draws = draws
        self._memory = memory
        self._step = deviation * math.sqrt(1 - memory**2)
        self._level = draws.gauss(0, deviation)

    def step(self) -> float:
        """Go to the next run and return its level."""
        self._level = self._memory * self._level + self._draws.gauss(0, self._step)
        return self._level


class Machine:
    """Runs architectures whose true figures are known."""

    def __init__(self, draws: random.Random, noise: Noise, architectures: int) -> None:
        self._draws = draws
        self._noise = noise
        self._speed = Drift(draws, noise.drift, noise.memory)
        self._own = [Drift(draws, noise.own_drift, 0.95) for _ in range(architectures)]

    def control(self) -> float:
        """Run the control; returns its figure."""
        return math.exp(self._figure(CONTROL, self._time()))

    def run(self, architecture: int, true_ratio: float) -> dict[str, float]:
        """Run an architecture whose figures are `true_ratio` in the mean; returns its figures by name."""
        speed, own = self._time(), self._own[architecture].step()
        return {figure.name: true_ratio * math.exp(self._figure(figure, speed) + own) for figure in FIGURES}

    def _time(self) -> float:
        """Return the machine's speed during the next run."""
        stolen = self._draws.uniform(0.1, 0.4) if self._draws.random() < self._noise.bursts else 0.0
        return self._speed.step() + math.log(1 - stolen)

    def _figure(self, figure: Figure, speed: float) -> float:
        return figure.follows * speed + figure.noise * self._deviate()

    def _deviate(self) -> float:
        """Draw a standard deviate; one with heavy tails has the same quartiles as a normal one, not its variance."""
        deviate = self._draws.gauss(0, 1)
        if not self._noise.heavy:
            return deviate
        return deviate / math.sqrt(self._draws.gammavariate(1.5, 2) / 3) / T3_QUARTILES

"""How sure a value simulation is: distributions, Monte Carlo with a kept seed, what it tells. Pure.

The draws come from PCG64 in the order of the parameters' names, so that a seed gives the same run
again with the same version of NumPy, which is kept with each run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from marketplace.value import Case, npv

if TYPE_CHECKING:
    import numpy as np

ENGINE = "value 1"
MOST_DRAWS = 200_000
Z95 = 1.959964
# kind -> the numbers that it takes
KINDS: dict[str, tuple[str, ...]] = {
    "beta": ("mean", "sd"),
    "beta_counts": ("successes", "trials"),
    "gamma": ("mean", "sd"),
    "pert": ("low", "mode", "high"),
    "normal": ("mean", "sd"),
    "lognormal": ("estimate", "lower", "upper"),
    "uniform": ("low", "high"),
}


class NoSuchDistribution(ValueError):
    """A distribution that cannot be drawn from; the message says which number and why."""


def check(spec: Mapping[str, Any]) -> None:
    """Raise NoSuchDistribution where the kind or a number of it is not as it must be."""
    kind = spec.get("kind")
    if kind not in KINDS:
        text = _("expected one of %(known)s, found %(found)s")
        told = text % {"known": ", ".join(KINDS), "found": repr(kind)}
        raise NoSuchDistribution(f"kind: {told}")
    if unknown := set(spec) - {"kind", *KINDS[kind]}:
        text = _("no number of %(kind)s") % {"kind": kind}
        raise NoSuchDistribution(f"{sorted(unknown)[0]}: {text}")
    numbers = {name: _number(spec, name) for name in KINDS[kind]}
    if fault := _fault(kind, numbers):
        raise NoSuchDistribution(fault)


def _number(spec: Mapping[str, Any], name: str) -> float:
    value: Any = spec.get(name)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # which no NaN is, and no whole number that a float cannot hold
    if not is_number or not abs(value) <= sys.float_info.max:
        raise NoSuchDistribution(_unlike(name, _("a number"), repr(value)))
    return float(value)


def _unlike(name: str, what: str, found: float | str) -> str:
    told = found if isinstance(found, str) else f"{found:g}"
    return f"{name}: " + _("expected %(what)s, found %(found)s") % {"what": what, "found": told}


def _fault(kind: str, n: Mapping[str, float]) -> str:
    """Why the numbers make no distribution, or nothing."""
    if "sd" in n and n["sd"] <= 0:
        return _unlike("sd", _("more than 0"), n["sd"])
    return _FAULTS[kind](n) if kind in _FAULTS else ""


def _of_beta(n: Mapping[str, float]) -> str:
    if not 0 < n["mean"] < 1:
        return _unlike("mean", _("a share between 0 and 1"), n["mean"])
    widest = sqrt(n["mean"] * (1 - n["mean"]))
    what = _("less than %(most)s") % {"most": f"{widest:.4g}"}
    return "" if n["sd"] < widest else _unlike("sd", what, n["sd"])


def _of_counts(n: Mapping[str, float]) -> str:
    is_good = 0 <= n["successes"] <= n["trials"]
    return "" if is_good else _unlike("successes", _span(0, n["trials"]), n["successes"])


def _of_gamma(n: Mapping[str, float]) -> str:
    return "" if n["mean"] > 0 else _unlike("mean", _("more than 0"), n["mean"])


def _span(low: float, high: float) -> str:
    return _("%(low)s to %(high)s") % {"low": f"{low:g}", "high": f"{high:g}"}


def _of_range(n: Mapping[str, float]) -> str:
    if n["low"] >= n["high"]:
        return _unlike("high", _("more than %(least)s") % {"least": f"{n['low']:g}"}, n["high"])
    if not n["low"] <= n.get("mode", n["low"]) <= n["high"]:
        return _unlike("mode", _span(n["low"], n["high"]), n["mode"])
    return ""


def _of_ratio(n: Mapping[str, float]) -> str:
    is_good = 0 < n["lower"] < n["estimate"] < n["upper"]
    return "" if is_good else "estimate: " + _("expected 0 < lower < estimate < upper")


_FAULTS: dict[str, Callable[[Mapping[str, float]], str]] = {
    "beta": _of_beta,
    "beta_counts": _of_counts,
    "gamma": _of_gamma,
    "pert": _of_range,
    "uniform": _of_range,
    "lognormal": _of_ratio,
}


def draw(generator: np.random.Generator, spec: Mapping[str, Any], size: int) -> Any:
    """``size`` draws from a distribution."""
    check(spec)
    kind, n = spec["kind"], {name: float(spec[name]) for name in KINDS[spec["kind"]]}
    if kind == "beta":
        k = n["mean"] * (1 - n["mean"]) / n["sd"] ** 2 - 1
        return generator.beta(n["mean"] * k, (1 - n["mean"]) * k, size)
    if kind == "beta_counts":
        return generator.beta(n["successes"] + 1, n["trials"] - n["successes"] + 1, size)
    if kind == "gamma":
        return generator.gamma((n["mean"] / n["sd"]) ** 2, n["sd"] ** 2 / n["mean"], size)
    if kind == "pert":
        width = n["high"] - n["low"]
        a, b = 1 + 4 * (n["mode"] - n["low"]) / width, 1 + 4 * (n["high"] - n["mode"]) / width
        return n["low"] + width * generator.beta(a, b, size)
    if kind == "normal":
        return generator.normal(n["mean"], n["sd"], size)
    if kind == "uniform":
        return generator.uniform(n["low"], n["high"], size)
    error = log(n["upper"] / n["lower"]) / (2 * Z95)
    return generator.lognormal(log(n["estimate"]), error, size)


@dataclass(frozen=True, slots=True)
class Spread:
    """What many draws say of the NPV; ``ceac`` is P(NPV > 0) by threshold for a QALY."""

    seed: int
    draws: int
    mean: float
    standard_error: float
    sd: float
    chance_of_gain: float
    percentiles: Mapping[str, float]
    evpi: float
    numpy: str
    ceac: tuple[tuple[float, float], ...] = ()
    engine: str = ENGINE


def simulate(
    case: Case,
    distributions: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
    draws: int,
    thresholds: Sequence[float] = (),
) -> Spread:
    """Monte Carlo over the NPV: independent draws of the named parameters."""
    if not 2 <= draws <= MOST_DRAWS:
        raise NoSuchDistribution(_unlike("draws", _span(2, MOST_DRAWS), str(draws)))
    # here, because most processes of the hub never draw
    import numpy as np

    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = {name: draw(generator, distributions[name], draws) for name in sorted(distributions)}
    some = _by_draw(case.but(**drawn))
    values = np.broadcast_to(npv(some), draws).astype(float)
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return Spread(
        seed=seed,
        draws=draws,
        mean=mean,
        standard_error=sd / sqrt(draws),
        sd=sd,
        chance_of_gain=float((values > 0).mean()),
        percentiles={f"{p:g}": float(np.percentile(values, p)) for p in (5, 25, 50, 75, 95)},
        evpi=float(np.maximum(values, 0).mean()) - max(mean, 0.0),
        numpy=np.__version__,
        ceac=tuple(
            (float(one), float((npv(some.but(qaly_value=one)) > 0).mean())) for one in thresholds
        ),
    )


def _by_draw(case: Case) -> Case:
    """The case with a price that takes many quantities at once; each distinct one asked once."""
    import numpy as np

    def cost_of(quantity: Any) -> Any:
        if np.ndim(quantity) == 0:
            return case.cost_of(float(quantity))
        whole, back = np.unique(np.round(quantity), return_inverse=True)
        return np.array([case.cost_of(float(one)) for one in whole])[back]

    return Case(case.parameters, cost_of, case.years, case.discounts, case.index)

"""What a price book entry can say, as values: tiers, introduction, index, commitments, service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from django.utils.translation import gettext as _

from contracts.pricing.money import ONE, ZERO
from contracts.pricing.periods import Length


class Model(StrEnum):
    """How the tiers are read."""

    GRADUATED = "graduated"
    ALL_UNITS = "all_units"
    FLAT = "flat"
    STAIR_STEP = "stair_step"
    PACKAGE = "package"
    PERCENTAGE = "percentage"


class Scope(StrEnum):
    """Whose examinations are counted together."""

    CALL_OFF = "call_off"
    AUTHORITY = "authority"
    FRAMEWORK = "framework"


class PriceTermsError(ValueError):
    """The agreed terms cannot be read as a price; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Tier:
    """A unit price up to and including ``up_to`` examinations (None: without end).

    ``flat_fee`` is due once the tier is reached; that of the first tier as soon as a line is
    active. A stair-step has nothing but the fee.
    """

    up_to: int | None
    unit_price: Decimal = ZERO
    flat_fee: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Package:
    """Examinations that are sold by the ``size``, each begun package in full."""

    size: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Phase:
    """Calendar months after activation with a discount, as a share of one (1 = free).

    Where ``unit_price`` is given, it is what one examination costs instead.
    """

    months: int
    discount: Decimal = ZERO
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Adjustment:
    """From ``effective`` on, prices follow the index of ``ref_month`` (the first of the month)."""

    effective: date
    ref_month: date


@dataclass(frozen=True, slots=True)
class Indexation:
    """Unit prices follow a published series: ``1 + share * (I_ref / I_base - 1)``, within bounds.

    ``cap`` and ``floor`` are bounds of the change (0.04: four per cent up); None is no bound.
    """

    series: str
    base_month: date
    adjustments: tuple[Adjustment, ...]
    share: Decimal = ONE
    cap: Decimal | None = None
    floor: Decimal | None = None
    decimals: int = 2


@dataclass(frozen=True, slots=True)
class Commitment:
    """A least or a greatest amount for a period; a period that is not whole counts by days."""

    amount: Decimal
    period: Length = Length.CONTRACT_YEAR
    scope: Scope | None = None  # None: the scope of the tiers
    is_prorated: bool = True


@dataclass(frozen=True, slots=True)
class Band:
    """A credit, as a share of the charge, from ``bound`` on (shares of one, not included)."""

    bound: Decimal
    credit: Decimal


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """What is credited for a month in which the service fell short, together within ``cap``.

    ``late`` is the share of the average price credited for each late result. Of the bands the one
    with the greatest credit that is met counts: ``availability`` below its bound, ``failed`` (of
    all jobs) above its bound. ``late_after`` is the seconds from request to result after which who
    counts the results calls one late.
    """

    cap: Decimal = ONE
    late: Decimal = ZERO
    availability: tuple[Band, ...] = ()
    failed: tuple[Band, ...] = ()
    late_after: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A bonus or malus on the charge of a contract year by a measured share against a target."""

    kpi: str
    target: Decimal
    slope: Decimal
    bonus_cap: Decimal
    malus_cap: Decimal
    min_n: int = 0
    confidence: Decimal = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Fee:
    """A fixed amount for each period and scope in which a line is active (None: for each line)."""

    amount: Decimal
    period: Length = Length.CONTRACT_YEAR
    scope: Scope | None = None
    is_prorated: bool = True


@dataclass(frozen=True, slots=True)
class Percentage:
    """A share of what other algorithms cost at the same line's site; empty ``of``: all others."""

    share: Decimal
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Price:
    """One line of a price book; a flat price is one tier without end."""

    model: Model
    tiers: tuple[Tier, ...] = ()
    introduction: tuple[Phase, ...] = ()
    tier_scope: Scope = Scope.FRAMEWORK
    tier_period: Length = Length.CONTRACT_YEAR
    included_units: int = 0
    is_better_of: bool = False
    is_prorated: bool = False
    package: Package | None = None
    percentage: Percentage | None = None
    fee: Fee | None = None
    indexation: Indexation | None = None
    minimum: Commitment | None = None
    cap: Commitment | None = None
    sla: ServiceLevel | None = None
    outcome: Outcome | None = None
    # of the average price, for each examination rejected by the customer's fault
    customer_fault: Decimal = ZERO

    def __post_init__(self) -> None:
        if self.model not in (Model.PACKAGE, Model.PERCENTAGE):
            _must_be_whole(self.tiers)


def _must_be_whole(tiers: tuple[Tier, ...]) -> None:
    """Every quantity falls in exactly one tier: bounds rise, and the last tier has no end."""
    bounds = [tier.up_to for tier in tiers]
    if not bounds or bounds[-1] is not None or None in bounds[:-1]:
        text = _("expected the last tier, and no other, to be without up_to")
        raise PriceTermsError(f"tiers: {text}")
    rising = [0, *(bound for bound in bounds[:-1] if bound is not None)]
    if any(upper <= lower for lower, upper in zip(rising, rising[1:], strict=False)):
        text = _("expected rising bounds above 0, found %(found)s")
        raise PriceTermsError(f"tiers: {text % {'found': ', '.join(map(str, rising[1:]))}}")

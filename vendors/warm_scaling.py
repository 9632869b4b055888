"""How many warm servers a group is to have, and which of them go; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# between two runs a server is replaced once it is so old
LONGEST_SECONDS = 43_200.0
# one above ``least`` is stopped once it has had nothing to do for so long
IDLE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One server as it stands; ``is_current``: started as one would be started now."""

    number: int
    is_busy: bool
    idle_seconds: float
    age_seconds: float
    is_current: bool = True
    is_stopping: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The numbers of servers to start, and of those to stop."""

    start: tuple[int, ...] = ()
    stop: tuple[int, ...] = ()


def plan(servers: Sequence[Standing], *, waiting: int, least: int, most: int) -> Plan:
    """What to do so that ``waiting`` runs find a server, within both bounds.

    A server that has a run is never stopped. A number that is stopping is taken until it is gone.
    """
    staying = [one for one in servers if not one.is_stopping]
    worn = [one for one in staying if not one.is_busy and _is_worn(one)]
    free = sorted((one for one in staying if not one.is_busy and one not in worn), key=_by_idling)
    spare = max(len(staying) - len(worn) - least, 0)
    idle = [one for one in free[max(waiting, 0) :] if one.idle_seconds > IDLE_SECONDS][-spare:]
    stop = {one.number for one in (*worn, *(idle if spare else ()))}
    up = len(staying) - len(stop)
    missing = max(waiting - len([one for one in free if one.number not in stop]), least - up, 0)
    taken = {one.number for one in servers}
    numbers = [number for number in range(most) if number not in taken]
    return Plan(tuple(numbers[: min(missing, max(most - up, 0))]), tuple(sorted(stop)))


def _is_worn(one: Standing) -> bool:
    return not one.is_current or one.age_seconds > LONGEST_SECONDS


def _by_idling(one: Standing) -> tuple[float, int]:
    return one.idle_seconds, one.number

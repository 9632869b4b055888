"""Looks through every state that a model can come to, and tells the way to one that must not be."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

State = TypeVar("State", bound=Hashable)
Step = tuple[str, State]


@dataclass(frozen=True, slots=True)
class Found(Generic[State]):
    """All states there are, how each was first come to, and which each leads to."""

    came_from: dict[State, tuple[str, State] | None]
    leads_to: dict[State, list[State]]

    def way_to(self, state: State) -> list[str]:
        """The steps to a state, one of the shortest ways."""
        steps = []
        while (before := self.came_from[state]) is not None:
            name, state = before
            steps.append(name)
        return steps[::-1]

    def cannot_reach(self, is_goal: Callable[[State], bool]) -> list[State]:
        """The states from which no way leads to a goal, however fortunate."""
        comes_from: defaultdict[State, list[State]] = defaultdict(list)
        for state, following in self.leads_to.items():
            for one in following:
                comes_from[one].append(state)
        good = {state for state in self.came_from if is_goal(state)}
        waiting = deque(good)
        while waiting:
            for before in comes_from[waiting.popleft()]:
                if before not in good:
                    good.add(before)
                    waiting.append(before)
        return [state for state in self.came_from if state not in good]


class Broken(AssertionError, Generic[State]):
    """A state that must not be, and the way to it."""

    def __init__(self, what: str, steps: list[str], state: State) -> None:
        super().__init__("\n".join([what, *(f"  {step}" for step in steps), repr(state)]))


def look_through(
    start: State,
    steps: Callable[[State], Iterable[Step[State]]],
    wrong: Callable[[State], str],
) -> Found[State]:
    """Go every way from ``start``, the shortest first. Raises Broken with what is ``wrong``."""
    found: Found[State] = Found({start: None}, {})
    waiting = deque([start])
    while waiting:
        state = waiting.popleft()
        if what := wrong(state):
            raise Broken(what, found.way_to(state), state)
        following = found.leads_to[state] = []
        for name, after in steps(state):
            following.append(after)
            if after not in found.came_from:
                found.came_from[after] = (name, state)
                waiting.append(after)
    return found

"""What must hold in every state of the model, and when all is done."""

from __future__ import annotations

from tests.model.world import AT_REST, STANDING, World, row_of


def wrong(world: World) -> str:
    """What must not be, or nothing."""
    holders = [row_of(act) for act in world.acts if act is not None and act.is_current]
    if len(holders) != len(set(holders)):
        return "two workers hold one row"
    return wrong_to_see(world)


def wrong_to_see(world: World) -> str:
    """What must not be, and what somebody outside would see of it, or nothing."""
    for number, item in enumerate(world.items):
        letter = world.letters[number]
        if item.findings is not None and item.findings != item.run:
            return "findings are of another run than the one that counts"
        if item.state in ("collected", *STANDING) and item.findings is None:
            return "there is a result without findings"
        if letter is not None and letter.state == "pending" and item.state != "writing_back":
            return "something is still to be told of what does not stand"
    if list(world.told) != sorted(world.told):
        return "what was superseded came after what superseded it"
    if world.is_counted and not world.told:
        return "something is paid for that nobody was told"
    return ""


def is_at_rest(world: World) -> bool:
    """Nothing is left to be done, and what was done is told and counted as it stands."""
    last = len(world.items) - 1
    if world.study != "matched" or any(world.acts) or world.runs:
        return False
    if any(item.state not in AT_REST or item.lease for item in world.items):
        return False
    letter = world.letters[last]
    if letter is not None and letter.state == "delivered":
        return world.told[-1:] == (last,) and world.is_counted
    return letter is None or letter.state == "dead"

"""The pathway, its leases and fencing numbers, small enough to be looked through whole.

One study that comes a second time with other input, one algorithm, one destination that keeps what
has a name once, and two workers. One of them may die, or be paused for longer than its lease, at
any moment, and go on afterwards as if nothing had been. The steps are those of routing/steps,
lease.py, outbox.py, settling.py, superseding.py and tidying.py, each as large as what the database
does at once; what is one call over a network or to an engine is a step of its own.

A fencing number only ever matters by whether it is still that of the row, so a worker has
``is_current`` in its place, and the model is finite. Moves are looked up in tables of their own; a
test holds them equal to those of routing/pathway.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.model.world import (
    DELIVERY_MOVES,
    LAST_RUN,
    REVISIONS,
    STANDING,
    STUDY_MOVES,
    TAKEN_AT,
    WORKITEM_MOVES,
    Act,
    Item,
    Lease,
    Letter,
    Rules,
    World,
    is_stray,
    row_of,
)

Step = tuple[str, World]


class Overtaken(Exception):  # noqa: N818 (as in the code)
    """The row is another's, or has moved on."""


def steps(world: World, rules: Rules) -> Iterator[Step]:
    """All that may happen next."""
    yield from _of_the_study(world)
    yield from _of_the_hub(world)
    yield from _of_engines(world)
    for worker, act in enumerate(world.acts):
        if act is None:
            yield from _taking(world, worker, rules)
        else:
            yield from _going_on(world, worker, act, rules)
            yield from _faults(world, worker, act, rules)


# -- what no worker holds: one transaction each --------------------------------------------------
def _of_the_study(world: World) -> Iterator[Step]:
    if world.study == "receiving":
        yield "the study closes", replace(world, study=_to(STUDY_MOVES, world.study, "complete"))
    elif world.revision < REVISIONS:
        again = _to(STUDY_MOVES, world.study, "receiving")
        yield "an instance comes late", replace(world, study=again, revision=world.revision + 1)
    if world.study == "complete":
        yield "the study is matched", _matched(world)


def _matched(world: World) -> World:
    """The new Workitem; an earlier one is superseded, and not told any more."""
    items, letters = list(world.items), list(world.letters)
    for number, item in enumerate(items):
        if item.state != "superseded":
            state = _to(WORKITEM_MOVES, item.state, "superseded")
            items[number] = replace(item, state=state, lease=None)
            letter = letters[number]
            if letter is not None and letter.state in ("pending", "dead"):
                # Its lease stays: it may be on its way at this moment.
                state = _to(DELIVERY_MOVES, letter.state, "cancelled")
                letters[number] = replace(letter, state=state)
    study = _to(STUDY_MOVES, world.study, "matched")
    return replace(world, study=study, items=(*items, Item()), letters=(*letters, None))


def _of_the_hub(world: World) -> Iterator[Step]:
    for number, item in enumerate(world.items):
        if item.state == "matched":
            for to in ("entitled", "refused"):
                state = _to(WORKITEM_MOVES, item.state, to)
                yield f"{number} is {to}", _with_item(world, number, replace(item, state=state))
        strays = {run for run in world.runs if run[0] == number and is_stray(item, run[1])}
        if strays:
            yield f"runs of {number} are tidied away", replace(world, runs=world.runs - strays)


def _of_engines(world: World) -> Iterator[Step]:
    for run in world.runs:
        if run[2] == "goes on":
            for how in ("succeeded", "failed"):
                ended = world.runs - {run} | {(run[0], run[1], how)}
                yield f"run {run[1]} of {run[0]} {how}", replace(world, runs=ended)


# -- taking a lease ------------------------------------------------------------------------------
def _taking(world: World, worker: int, rules: Rules) -> Iterator[Step]:
    for number, item in enumerate(world.items):
        for job, state in TAKEN_AT.items():
            if item.state == state and _is_free(item.lease):
                act = Act(job, number, run=item.run)
                taken = _with_item(world, number, replace(item, lease=Lease(worker)))
                yield f"{worker} takes {number} to {job}", _begun(taken, worker, act, rules)
        letter = world.letters[number]
        if letter is None or letter.state != "pending" or not _is_free(letter.lease):
            continue
        if rules.letters_wait and any(_is_on_its_way(other) for other in world.letters):
            continue
        act = Act("deliver", number)
        taken = _with_letter(world, number, replace(letter, lease=Lease(worker)))
        yield f"{worker} takes the letter of {number}", _begun(taken, worker, act, rules)


def _is_free(lease: Lease | None) -> bool:
    return lease is None or not lease.lasts


def _is_on_its_way(letter: Letter | None) -> bool:
    return (
        letter is not None and letter.state in ("pending", "cancelled")
        and not _is_free(letter.lease)
    )  # fmt: skip


def _begun(world: World, worker: int, act: Act, rules: Rules) -> World:
    """The next fencing number: whoever held the row before has one that is not its any more."""
    acts: list[Act | None] = []
    for number, other in enumerate(world.acts):
        if number == worker:
            acts.append(act)
        elif other is not None and row_of(other) == row_of(act) and rules.fences:
            acts.append(replace(other, is_current=False))
        else:
            acts.append(other)
    return replace(world, acts=(acts[0], acts[1]))


# -- what a worker does --------------------------------------------------------------------------
def _going_on(world: World, worker: int, act: Act, rules: Rules) -> Iterator[Step]:
    does = {
        "dispatch": _dispatch, "collect": _collect, "write_back": _write_back,
        "deliver": _deliver,
    }[act.job]  # fmt: skip
    for name, after in does(world, worker, act):
        yield f"{worker}: {name}", after


def _dispatch(world: World, worker: int, act: Act) -> Iterator[Step]:
    runs = {run for run in world.runs if run[:2] == (act.item, act.run)}
    if act.at == "taken":
        if runs:
            yield "finds its run", _at(world, worker, act, "submitted")
        elif _holds(world, worker, act, "entitled"):
            yield "stages", _at(world, worker, act, "staged")
        else:
            yield "is overtaken before it stages", _idle(world, worker, act)
    elif act.at == "staged":
        new = frozenset() if runs else frozenset({(act.item, act.run, "goes on")})
        submitted = replace(world, runs=world.runs | new)
        yield "submits", _at(submitted, worker, act, "submitted")
    else:
        try:
            moved = _advance(world, act, "entitled", "dispatched")
        except Overtaken:
            # It ends what it started, where nobody waits for that.
            left = world
            if is_stray(world.items[act.item], act.run):
                left = replace(world, runs=world.runs - runs)
            yield "is overtaken after it submitted", _idle(left, worker, act)
        else:
            yield "has dispatched", _idle(moved, worker, act)


def _collect(world: World, worker: int, act: Act) -> Iterator[Step]:
    run = next((run for run in world.runs if run[:2] == (act.item, act.run)), None)
    if act.at == "taken":
        how = run[2] if run else "unknown"
        if how == "goes on":
            yield "looks, and it goes on", _idle(world, worker, act)
        else:
            yield f"looks: {how}", _at(world, worker, act, how)
        return
    try:
        if act.at == "succeeded":
            moved = _advance(world, act, "dispatched", "collected", findings=act.run)
        elif act.run < LAST_RUN:
            moved = _advance(world, act, "dispatched", "entitled", run=act.run + 1)
        else:
            moved = _advance(world, act, "dispatched", "failed")
    except Overtaken:
        yield "is overtaken with what it looked at", _idle(world, worker, act)
    else:
        cleaned = replace(moved, runs=moved.runs - {run} if run else moved.runs)
        yield f"moves on after {act.at}", _idle(cleaned, worker, act)


def _write_back(world: World, worker: int, act: Act) -> Iterator[Step]:
    try:
        moved = _advance(world, act, "collected", "writing_back")
    except Overtaken:
        yield "is overtaken with the report", _idle(world, worker, act)
    else:
        assert moved.letters[act.item] is None, "told twice"
        yield "writes the report", _idle(_with_letter(moved, act.item, Letter()), worker, act)


def _deliver(world: World, worker: int, act: Act) -> Iterator[Step]:
    if act.at == "taken":
        told = world.told if act.item in world.told else (*world.told, act.item)
        arrived = replace(world, told=told)
        yield "sends, and is answered", _at(arrived, worker, act, "answered")
        yield "sends, and hears nothing", _idle(arrived, worker, act)
        yield "sends, and it does not arrive", _idle(world, worker, act)
        yield "is refused", _at(world, worker, act, "refused")
        return
    letter = world.letters[act.item]
    assert letter is not None
    if not act.is_current or letter.state != "pending":
        yield "is overtaken with the answer", _idle(world, worker, act)
        return
    to = "delivered" if act.at == "answered" else "dead"
    ended = replace(letter, state=_to(DELIVERY_MOVES, letter.state, to), lease=None)
    yield f"notes: {to}", _idle(_settled(_with_letter(world, act.item, ended), act), worker, act)


def _settled(world: World, act: Act) -> World:
    """All of one transaction: told, counted, done."""
    item = world.items[act.item]
    if act.at == "answered" and item.state in STANDING:
        world = replace(world, is_counted=True)
    if item.state == "writing_back":
        state = _to(WORKITEM_MOVES, item.state, "written_back")
        return _with_item(world, act.item, replace(item, state=state, lease=None))
    return world


# -- what goes wrong -----------------------------------------------------------------------------
def _faults(world: World, worker: int, act: Act, rules: Rules) -> Iterator[Step]:
    if world.faults >= rules.faults:
        return
    world = replace(world, faults=world.faults + 1)
    acts = tuple(None if number == worker else one for number, one in enumerate(world.acts))
    died = replace(world, acts=(acts[0], acts[1]))
    yield f"{worker} dies, and its lease runs out", _run_out(died, worker, act)
    if act.job != "deliver" or act.at != "taken" or rules.senders_are_paused:
        yield f"{worker} is paused, and its lease runs out", _run_out(world, worker, act)


def _run_out(world: World, worker: int, act: Act) -> World:
    lease = _lease(world, act)
    if not act.is_current or lease is None or lease.worker != worker:
        return world
    return _leased(world, act, Lease(worker, lasts=False))


# -- rows ----------------------------------------------------------------------------------------
def _to(moves: dict[str, set[str]], state: str, to: str) -> str:
    assert to in moves[state], f"no move from {state} to {to}"
    return to


def _advance(world: World, act: Act, state: str, to: str, **fields: int) -> World:
    """pathway.advance() of a Workitem: where it has still the state and number that were seen."""
    item = world.items[act.item]
    if item.state != state or not act.is_current:
        raise Overtaken
    moved = replace(item, state=_to(WORKITEM_MOVES, state, to), lease=None)
    if "run" in fields:
        moved = replace(moved, run=fields["run"])
    if "findings" in fields:
        moved = replace(moved, findings=fields["findings"])
    return _with_item(world, act.item, moved)


def _holds(world: World, worker: int, act: Act, state: str) -> bool:
    """lease.require(): also a lease that has run out, while nobody else took it."""
    item = world.items[act.item]
    is_ours = item.lease is not None and item.lease.worker == worker
    return act.is_current and is_ours and item.state == state


def _at(world: World, worker: int, act: Act, at: str) -> World:
    acts = list(world.acts)
    acts[worker] = replace(act, at=at)
    return replace(world, acts=(acts[0], acts[1]))


def _idle(world: World, worker: int, act: Act) -> World:
    """The worker is done, and gives its lease back where it is still its own."""
    lease = _lease(world, act)
    if act.is_current and lease is not None and lease.worker == worker:
        world = _leased(world, act, None)
    acts = list(world.acts)
    acts[worker] = None
    return replace(world, acts=(acts[0], acts[1]))


def _lease(world: World, act: Act) -> Lease | None:
    row = world.letters[act.item] if act.job == "deliver" else world.items[act.item]
    return row.lease if row is not None else None


def _leased(world: World, act: Act, lease: Lease | None) -> World:
    letter = world.letters[act.item]
    if act.job == "deliver" and letter is not None:
        return _with_letter(world, act.item, replace(letter, lease=lease))
    return _with_item(world, act.item, replace(world.items[act.item], lease=lease))


def _with_item(world: World, number: int, item: Item) -> World:
    items = (*world.items[:number], item, *world.items[number + 1 :])
    return replace(world, items=items)


def _with_letter(world: World, number: int, letter: Letter) -> World:
    letters = (*world.letters[:number], letter, *world.letters[number + 1 :])
    return replace(world, letters=letters)

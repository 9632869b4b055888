"""What a call-off must have in common with the mini-competition that it says it follows from.

A draft may name a competition that still runs; to be approved it must fit one that was concluded.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from contracts import competed
from contracts.models import CallOff, CallOffCompetition, FrameworkAgreement, Procedure
from hub.models import Organisation
from vendors.models import Vendor


class NotThisCompetition(ValueError):
    """The call-off cannot name the competition; the message is the rule."""


def find(code: str, *, framework: FrameworkAgreement, organisation: Organisation) -> Procedure:
    """The mini-competition of the code under the agreement in which the organisation takes part.

    Raises NotThisCompetition, with the same sentence for one that is not there and one of others.
    """
    rows = competed.under(framework, for_any=frozenset({organisation.pk}))
    for one in rows:
        if one.code == code:
            return one
    raise NotThisCompetition(
        _("expected a mini-competition under %(framework)s that %(organisation)s takes part in")
        % {"framework": framework.code, "organisation": organisation}
    )


def demand_mode(mode: str, competition: Procedure | str | None) -> None:
    """Refuse a competition where the mode is another; raises NotThisCompetition."""
    if competition and mode != CallOff.Mode.MINI_COMPETITION:
        raise NotThisCompetition(
            _("expected nothing, because the mode is %(mode)s") % {"mode": CallOff.Mode(mode).label}
        )


def name(call_off: CallOff, competition: Procedure | None) -> None:
    """Let the call-off say which competition it follows from, or none."""
    if competition is None:
        CallOffCompetition.objects.filter(call_off=call_off).delete()
        return
    CallOffCompetition.objects.update_or_create(
        call_off=call_off, defaults={"competition": competition}
    )


def of(call_off: CallOff) -> Procedure | None:
    """The competition that the call-off names, asked anew."""
    link = CallOffCompetition.objects.filter(call_off=call_off).select_related(
        "competition__winner__vendor", "competition__framework", "competition__organisation"
    )
    found = link.first()
    return found.competition if found else None


def problems_of(call_off: CallOff) -> list[str]:
    """What keeps it from being approved, each a sentence that begins with its field."""
    competition = of(call_off)
    if competition is None:
        if call_off.mode != CallOff.Mode.MINI_COMPETITION:
            return []
        return [_("competition: expected the mini-competition that it follows from.")]
    try:
        demand_mode(call_off.mode, competition)
    except NotThisCompetition as refused:
        return [f"competition: {refused}."]
    return [*_of_the_agreement(call_off, competition), *_of_the_award(call_off, competition)]


def _of_the_agreement(call_off: CallOff, competition: Procedure) -> Iterator[str]:
    """Same agreement, same lot, and a buyer that took part."""
    told = {"competition": competition.code}
    if competition.kind != Procedure.Kind.MINI_COMPETITION:
        yield _("competition: %(competition)s is no mini-competition.") % told
    if competition.framework_id != call_off.framework_id:
        yield _("competition: expected one under %(framework)s, and %(competition)s is not.") % {
            **told, "framework": call_off.framework.code,
        }  # fmt: skip
    if competition.lot != call_off.lot:
        yield _("lot: expected %(lot)s, which %(competition)s was about.") % {
            **told, "lot": competition.lot or "–",
        }  # fmt: skip
    if call_off.organisation_id not in competed.organisations_of(competition):
        yield _("organisation: %(organisation)s took no part in %(competition)s.") % {
            **told, "organisation": call_off.organisation,
        }  # fmt: skip


def _of_the_award(call_off: CallOff, competition: Procedure) -> Iterator[str]:
    """It was concluded, its winner supplies, and what is bought is what was offered, where asked.
    """
    told = {"competition": competition.code}
    if competition.state != Procedure.State.CONCLUDED:
        yield _('competition: %(competition)s stands at "%(state)s": expected one concluded.') % {
            **told, "state": competition.get_state_display(),
        }  # fmt: skip
        return
    if competition.winner is None:
        yield _("competition: the hub does not know who won %(competition)s.") % told
        return
    winner = competition.winner.vendor
    if call_off.sold_by != winner:
        yield _("supplier: expected %(winner)s, who won %(competition)s, and not %(other)s.") % {
            **told, "winner": winner.name, "other": call_off.sold_by.name,
        }  # fmt: skip
    yield from _lines(call_off, competition, winner)


def _lines(call_off: CallOff, competition: Procedure, winner: Vendor) -> Iterator[str]:
    """Each algorithm is one that was offered; each site one that was asked for."""
    lines = list(call_off.lines.select_related("algorithm", "site"))
    offered = competed.won_with(competition)
    if offered is None:
        known = competed.offerable(call_off.framework, winner)
        offered = frozenset(known.values_list("code", flat=True))
    sites = {site.pk: site.name for site in competed.sites_of(competition)}
    for algorithm in sorted({line.algorithm.code for line in lines} - offered):
        yield _(
            "lines: %(winner)s did not offer %(algorithm)s in %(competition)s: expected one of "
            "%(known)s."
        ) % {
            "algorithm": algorithm, "winner": winner.name, "competition": competition.code,
            "known": ", ".join(sorted(offered)) or "–",
        }  # fmt: skip
    for site in sorted({line.site.name for line in lines if line.site_id not in sites}):
        yield _("lines: %(competition)s was not about %(site)s: expected one of %(known)s.") % {
            "site": site, "competition": competition.code,
            "known": ", ".join(sites.values()) or "–",
        }  # fmt: skip

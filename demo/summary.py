"""Prints what came of it: the worklist, what reached PACS and RIS, what counts, where to look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from demo.client import Json
from demo.stand_ins import Pacs, Ris
from demo.telling import Teller
from demo.usage import Usage
from demo.watching import accession_number, new_priority


def tell_worklist(teller: Teller, rows: Sequence[Json]) -> None:
    """The studies in the order to read, each with its reason."""
    teller.title("The worklist, in the order to read")
    teller.table(
        ("", "Priority", "Site", "", "Study", "AI", "Why it stands here"),
        [
            (
                number,
                row["priority"],
                row["site"],
                row["modality"],
                row["study_description"],
                row["ai_state"],
                row["reason"],
            )
            for number, row in enumerate(rows, start=1)
        ],
    )


def tell_pacs(teller: Teller, pacs: Pacs, sites: Mapping[str, str]) -> None:
    """What reached the PACS; `sites` are the sites of the studies, by Study Instance UID."""
    received = list(pacs.received)
    counted = Counter(
        (sites.get(str(one.StudyInstanceUID), "?"), one.AccessionNumber, one.Modality)
        for one in received
    )
    teller.title(f"What reached the PACS: {len(received)} objects")
    teller.table(
        ("Site", "Accession", "Objects"),
        [(site, number, f"{count} {what}") for (site, number, what), count in counted.items()],
    )


def tell_ris(teller: Teller, ris: Ris) -> None:
    """What reached the RIS: results, and wishes to read sooner."""
    results = ris.of_type("ORU^R01")
    changes = ris.of_type("OMI^O23") + ris.of_type("ORM^O01")
    corrected = sum(message.segment("OBR").value(25) == "C" for message in results)
    teller.title("What reached the RIS")
    teller.say(f"  {len(results)} results (ORU^R01), {corrected} of them a correction")
    wanted = "; ".join(f"{accession_number(one)} to {new_priority(one)}" for one in changes)
    teller.say(f"  {len(changes)} priority changes{': ' if wanted else ''}{wanted}")


def tell_usage(teller: Teller, events: Sequence[Usage]) -> None:
    """What the hospitals pay for."""
    teller.title(f"What counts under the call-offs: {len(events)} examinations")
    counted = Counter((event.call_off, event.site, event.algorithm) for event in events)
    teller.table(
        ("Call-off", "Site", "Algorithm", "Examinations"),
        [(*key, number) for key, number in sorted(counted.items())],
    )


def tell_refusals(teller: Teller, studies: Sequence[Json]) -> None:
    """What was not done because no contract covers it."""
    refusals = [
        (study["site"], item["why"])
        for study in studies
        for item in study["workitems"]
        if item["state"] == "refused"
    ]
    if refusals:
        teller.title("What no contract covers")
        for site, why in refusals:
            teller.say(f"  {site}: {why}")


def tell_addresses(teller: Teller, url: str, logins: Mapping[str, str], password: str) -> None:
    """The address of the web page, and who can sign in."""
    teller.title(f"The web page: {url}")
    teller.table(
        ("User name", "Password", "Sees"),
        [(name, password, sees) for name, sees in logins.items()],
    )

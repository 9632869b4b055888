"""Acts as the PACS and the RIS of every site, under the names that demo/setup.yaml gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.morning import Case
from demo.options import HOST, CannotStart
from demo.orders import order_message
from demo.own_hub import OwnHub, read_setup
from demo.stand_ins import send_order, send_study
from hub.dicom.scu import StoreOutcome
from hub.hl7.er7 import Message

HUB_AE_TITLE = "HUB"


@dataclass(frozen=True, slots=True)
class Site:
    """How a site calls itself towards the hub."""

    code: str
    name: str
    organisation: str
    ae_title: str
    facility: str


@dataclass(frozen=True)
class Neighbours:
    """The PACS and the RIS of all sites."""

    hub: OwnHub
    sites: dict[str, Site]

    def send_order(self, case: Case) -> None:
        """As the RIS of the site; raises CannotStart where the hub does not take it."""
        message = order_message(case, facility=self.sites[case.site].facility)
        answer = Message.from_bytes(
            send_order(message, host=HOST, port=self.hub.ports["hl7_port"])
        ).segment("MSA")
        if answer.value(1) != "AA":
            said = f"{answer.value(1)} {answer.value(3)}"
            raise CannotStart(f"The hub did not take the order of {case.site}: {said}")

    def send_images(self, site: str, files: Sequence[Path]) -> list[StoreOutcome]:
        """As the PACS of the site."""
        return send_study(
            files,
            ae_title=self.sites[site].ae_title,
            hub_ae_title=HUB_AE_TITLE,
            host=HOST,
            port=self.hub.ports["dicom_port"],
        )


def read_sites() -> dict[str, Site]:
    """The sites of demo/setup.yaml, by code, with the nodes that send for them."""
    text = read_setup()
    ae_titles = {n["site"]: n["ae_title"] for n in text["nodes"] if n["protocol"] == "dicom"}
    facilities = {
        node["site"]: node["hl7"]["receiving_facility"]
        for node in text["nodes"]
        if node["protocol"] == "hl7"
    }
    return {
        (code := site["code"]): Site(
            code=code,
            name=site["name"],
            organisation=site["organisation"],
            ae_title=ae_titles[code],
            facility=facilities[code],
        )
        for site in text["sites"]
    }

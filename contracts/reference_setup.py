"""The kinds ``index_series`` and ``vat_rates`` of the set-up file: dated reference data."""

from __future__ import annotations

from contracts.models import IndexSeries, IndexValue, VatRate
from contracts.price_shapes import IndexNumber, Month
from hub.configuration import identifiers, registry
from hub.configuration.records import Field, Record, Rows
from hub.configuration.registry import Kind
from hub.configuration.shapes import Country, Date, Text

registry.register(Kind(
    "index_series", "index_series", IndexSeries,
    says="Published series that prices may follow; months are added as they are published.",
    record=Record((
        Field("code", Text(80)),
        Field("title", Text(300), None),
        Field("source", Text(300), None, "Where the values are published."),
        Field("values", Rows(IndexValue, "series", ("month",), Record((
            Field("month", Month()),
            Field("value", IndexNumber()),
        ))), []),
    )),
))  # fmt: skip
registry.register(Kind(
    "vat_rate", "vat_rates", VatRate,
    says="Standard rates of value added tax, where they differ from those that come with the hub.",
    key=("country", "valid_from"),
    record=Record((
        Field("country", Country()),
        Field("valid_from", Date(), says="The first day of the rate."),
        Field("rate", Text(7, identifiers.percentage)),
    )),
))  # fmt: skip

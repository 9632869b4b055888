"""What a part of an address can be: keys that a database can hold, names without NUL."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import IntConverter, StringConverter


class RowKey(IntConverter):
    """The key of a row; eighteen digits, as no database takes a number without end."""

    regex = "[0-9]{1,18}"


class PlainName(StringConverter):
    """A name as versions and users have it."""

    regex = r"[\w.@+-]{1,150}"


register_converter(RowKey, "row")
register_converter(PlainName, "name")

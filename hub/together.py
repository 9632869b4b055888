"""Makes many tables in one step of a migration: an empty database is there in a few seconds.

Django renders the models of a migration anew after each CreateModel, with all that they are
related to, which is nearly all of them: with some hundred tables that takes longer than to make
them. Here they are rendered once, when all are known. So each may name one that is listed later.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation


class CreateTogether(Operation):
    """CreateModel for each of ``tables``, with all their indexes and rules; reversible."""

    def __init__(self, tables: Sequence[CreateModel]) -> None:
        self.tables = list(tables)

    def deconstruct(self) -> Any:
        """How a migration writes it down."""
        return self.__class__.__name__, [self.tables], {}

    def state_forwards(self, app_label: str, state: Any) -> None:
        """Add the models to what is known; what was rendered is forgotten."""
        state.__dict__.pop("apps", None)
        for table in self.tables:
            table.state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Make the tables."""
        for table in self.tables:
            table.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        """Drop the tables, the last first."""
        for table in reversed(self.tables):
            table.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        """What ``migrate`` says of it at length."""
        return f"Create {len(self.tables)} models together"

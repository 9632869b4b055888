"""Rows that are added once, never changed and never deleted."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models


class AddedOnce(models.Model):
    """Refuses a second save and every deletion with ``refusal``."""

    refusal: ClassVar[type[Exception]]

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Add the row; a second save is refused."""
        if not self._state.adding:
            raise self.refusal(f"{self._meta.verbose_name} {self} cannot be changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Refused always."""
        raise self.refusal(f"{self._meta.verbose_name} {self} cannot be deleted")

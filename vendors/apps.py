"""The Django app of vendors."""

from django.apps import AppConfig


class VendorsConfig(AppConfig):
    name = "vendors"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of the set-up file."""
        from vendors import setup  # noqa: F401

"""The Django app of marketplace."""

from django.apps import AppConfig


class MarketplaceConfig(AppConfig):
    name = "marketplace"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of the set-up file."""
        from marketplace import setup, setup_deployments, setup_notices  # noqa: F401

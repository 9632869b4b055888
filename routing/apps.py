"""The Django app of routing."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "routing"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of the set-up file, and the checks."""
        from routing import checks, setup, setup_pools  # noqa: F401

"""The Django app of the frame."""

from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "hub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Point structlog at the handlers of the settings; register kinds of the set-up file."""
        from hub import logs
        from hub.configuration import participants  # noqa: F401

        logs.configure()

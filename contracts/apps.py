"""The Django app of contracts."""

from django.apps import AppConfig


class ContractsConfig(AppConfig):
    name = "contracts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the kinds of the set-up file, and what may not be changed in them."""
        from contracts import (  # noqa: F401
            amending,
            belongings,
            choosing_setup,
            in_marketplace,
            procedure_belongings,
            reached,
            setup,
            setup_call_offs,
        )  # fmt: skip
        from contracts.by_file import kind  # noqa: F401

"""What was recorded of the limits of the law moves to the facts of the law."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def move(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """Each limit with its day, its number as text, and its source."""
    fact, limit = apps.get_model("vendors", "LegalFact"), apps.get_model("contracts", "LegalLimit")
    for one in limit.objects.all():
        fact.objects.get_or_create(
            code=one.code, since=one.valid_from,
            defaults={"value": f"{one.value:.2f}", "source": one.source},
        )


def back(apps: Apps, _editor: BaseDatabaseSchemaEditor) -> None:
    """The facts whose code has a dot, as limits again."""
    fact, limit = apps.get_model("vendors", "LegalFact"), apps.get_model("contracts", "LegalLimit")
    for one in fact.objects.filter(code__contains="."):
        limit.objects.create(
            code=one.code, valid_from=one.since, value=one.value, source=one.source
        )
        one.delete()


class Migration(migrations.Migration):

    dependencies = [
        ("contracts", "0014_used_prices_stay"), ("vendors", "0005_limits_are_facts"),
    ]

    operations = [
        migrations.RunPython(move, back),
        migrations.DeleteModel(name="LegalLimit"),
    ]

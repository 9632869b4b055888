"""A price that examinations were counted at is never changed, in the database itself."""

from django.db import migrations

from contracts.used_prices import used_prices_stay


class Migration(migrations.Migration):

    # Last: SQLite cannot rebuild the tables that its triggers look into.
    dependencies = [("contracts", "0013_choosing_is_append_only")]

    operations = [used_prices_stay()]

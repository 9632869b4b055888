"""What was decided, frozen, scored, written and run is append-only in the database itself."""

from django.db import migrations

from hub.append_only import append_only


class Migration(migrations.Migration):

    dependencies = [("contracts", "0012_choosing")]

    operations = [
        append_only("contracts_proceduremove"),
        append_only("contracts_marketcontact"),
        append_only("contracts_dialoguenote"),
        append_only("contracts_evaluationfreeze"),
        append_only("contracts_score"),
        append_only("contracts_protocol"),
        append_only("contracts_selectionrun"),
        append_only("contracts_simulationrun"),
        append_only("contracts_outcomemeasurement"),
    ]

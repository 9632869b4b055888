"""How long each site keeps what it has; and audit events may go once six months have passed."""

from django.db import migrations, models

from hub.append_only import let_go_after


class Migration(migrations.Migration):

    dependencies = [("hub", "0005_organisation_roles")]

    operations = [
        migrations.AddField("site", "retention", models.JSONField(blank=True, default=dict)),
        let_go_after("hub_auditevent", column="at", days=184),
    ]

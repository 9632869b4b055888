"""Limits of the law and facts of the law become one table: the code of a limit has a dot."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("vendors", "0003_onboarding_and_people")]

    operations = [
        migrations.AlterField(
            model_name="legalfact", name="code", field=models.CharField(max_length=60)
        ),
    ]

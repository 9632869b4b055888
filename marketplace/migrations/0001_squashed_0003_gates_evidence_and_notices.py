"""All tables of an empty database at once; in one that exists, what it replaces goes on."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from hub.together import CreateTogether


class Migration(migrations.Migration):

    replaces = [
        ('marketplace', '0001_initial'),
        ('marketplace', '0002_version_signature'),
        ('marketplace', '0003_gates_evidence_and_notices'),
    ]

    initial = True

    dependencies = [
        ('hub', '0001_squashed_0007_retention'),
        ('vendors', '0001_squashed_0007_warm_servers'),
    ]

    operations = [
        CreateTogether([
            migrations.CreateModel(
                name='Algorithm',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.SlugField(unique=True)),
                    ('name', models.CharField(max_length=200)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='algorithms', to='vendors.vendor')),
                    ('body_parts', models.JSONField(blank=True, default=list)),
                    ('description', models.TextField(blank=True)),
                ],
            ),
            migrations.CreateModel(
                name='AlgorithmVersion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('version', models.CharField(max_length=40)),
                    ('manifest', models.JSONField()),
                    ('manifest_name', models.CharField(blank=True, max_length=255)),
                    ('created_at', models.DateTimeField(auto_now_add=True)),
                    ('algorithm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='marketplace.algorithm')),
                    ('signature_payload', models.TextField(blank=True)),
                    ('signature_value', models.TextField(blank=True)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('algorithm', 'version'), name='version_once')],
                },
            ),
            migrations.CreateModel(
                name='Clearance',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('regime', models.CharField(default='MDR', max_length=20)),
                    ('risk_class', models.CharField(max_length=10)),
                    ('certificate_number', models.CharField(blank=True, max_length=80)),
                    ('notified_body', models.CharField(blank=True, max_length=10)),
                    ('issued', models.DateField(blank=True, null=True)),
                    ('expires', models.DateField(blank=True, null=True)),
                    ('udi_di', models.CharField(blank=True, max_length=40)),
                    ('basic_udi_di', models.CharField(blank=True, max_length=40)),
                    ('intended_use', models.TextField(blank=True)),
                    ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='clearance', to='marketplace.algorithmversion')),
                    ('agreement_signed', models.DateField(blank=True, null=True)),
                    ('application_lodged', models.DateField(blank=True, null=True)),
                    ('ce_marked', models.DateField(blank=True, null=True)),
                    ('certificate_kind', models.CharField(blank=True, max_length=20)),
                    ('certificate_scope', models.TextField(blank=True)),
                    ('declaration', models.CharField(blank=True, max_length=300)),
                    ('emdn_code', models.CharField(blank=True, max_length=20)),
                    ('ifu', models.CharField(blank=True, max_length=300)),
                    ('is_unchanged', models.BooleanField(default=False)),
                    ('mdr_class', models.CharField(blank=True, max_length=10)),
                    ('notified_body_name', models.CharField(blank=True, max_length=200)),
                ],
            ),
            migrations.CreateModel(
                name='Deployment',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('state', models.CharField(choices=[('shadow', 'Shadow'), ('validation', 'Validation'), ('clinical', 'Clinical'), ('suspended', 'Suspended'), ('retired', 'Retired')], default='shadow', max_length=20)),
                    ('write_back', models.CharField(choices=[('automatic', 'Automatic'), ('after_acceptance', 'After acceptance')], default='automatic', max_length=20)),
                    ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='hub.site')),
                    ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='deployments', to='marketplace.algorithmversion')),
                    ('attested_at', models.DateTimeField(blank=True, null=True)),
                    ('attested_by', models.CharField(blank=True, max_length=200)),
                    ('attested_state', models.CharField(blank=True, max_length=20)),
                    ('attested_udi_di', models.CharField(blank=True, max_length=40)),
                    ('known_state', models.CharField(blank=True, max_length=20)),
                    ('suspended_at', models.DateTimeField(blank=True, null=True)),
                    ('suspended_by', models.CharField(blank=True, max_length=200)),
                    ('suspended_why', models.JSONField(blank=True, default=str)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('site', 'version'), name='deployment_once')],
                },
            ),
            migrations.CreateModel(
                name='DeploymentMove',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('was', models.CharField(blank=True, max_length=20)),
                    ('became', models.CharField(max_length=20)),
                    ('at', models.DateTimeField()),
                    ('by', models.CharField(max_length=200)),
                    ('why', models.JSONField(blank=True, default=str)),
                    ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='marketplace.deployment')),
                ],
                options={
                    'ordering': ['at', 'pk'],
                },
            ),
            migrations.CreateModel(
                name='ModelCard',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('document', models.JSONField()),
                    ('document_name', models.CharField(blank=True, max_length=255)),
                    ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='model_card', to='marketplace.algorithmversion')),
                ],
            ),
            migrations.CreateModel(
                name='SafetyNotice',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('code', models.CharField(max_length=60, unique=True)),
                    ('title', models.CharField(max_length=300)),
                    ('action', models.CharField(choices=[('stop', 'Stop using it'), ('recall', 'Recall'), ('update', 'Update'), ('advise', 'Advice on its use')], max_length=20)),
                    ('description', models.TextField(blank=True)),
                    ('received', models.DateField()),
                    ('is_suspending', models.BooleanField(default=True)),
                    ('decided_by', models.CharField(max_length=200)),
                    ('decided_at', models.DateTimeField(blank=True, null=True)),
                    ('lifted_on', models.DateField(blank=True, null=True)),
                    ('lifted_by', models.CharField(blank=True, max_length=200)),
                    ('lifted_why', models.TextField(blank=True)),
                    ('vendor', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='safety_notices', to='vendors.vendor')),
                ],
            ),
            migrations.CreateModel(
                name='Sbom',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('document', models.JSONField()),
                    ('document_name', models.CharField(blank=True, max_length=255)),
                    ('version', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sbom', to='marketplace.algorithmversion')),
                ],
            ),
            migrations.CreateModel(
                name='Evidence',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('reference', models.CharField(max_length=200)),
                    ('title', models.CharField(max_length=500)),
                    ('year', models.PositiveIntegerField()),
                    ('use', models.CharField(choices=[('validation', 'Validation'), ('clinical', 'Testing in a clinical setting')], max_length=20)),
                    ('level', models.CharField(choices=[('1t', '1t: technical efficacy'), ('1c', '1c: potential clinical efficacy'), ('2', '2: diagnostic accuracy'), ('3', '3: diagnostic thinking'), ('4', '4: therapeutic efficacy'), ('5', '5: patient outcome'), ('6', '6: societal efficacy')], max_length=2)),
                    ('design', models.CharField(blank=True, max_length=100)),
                    ('sample_size', models.PositiveIntegerField(blank=True, null=True)),
                    ('is_multicentre', models.BooleanField(default=False)),
                    ('is_independent', models.BooleanField(default=False)),
                    ('country', models.CharField(blank=True, max_length=2)),
                    ('reference_standard', models.CharField(blank=True, max_length=200)),
                    ('version_tested', models.CharField(blank=True, max_length=40)),
                    ('results', models.TextField(blank=True)),
                    ('algorithm', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='evidence', to='marketplace.algorithm')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('algorithm', 'reference', 'use'), name='evidence_once')],
                },
            ),
            migrations.CreateModel(
                name='ExpiryWarning',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('ends', models.DateField()),
                    ('days', models.PositiveIntegerField()),
                    ('at', models.DateTimeField()),
                    ('version', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='expiry_warnings', to='marketplace.algorithmversion')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('version', 'ends', 'days'), name='expiry_warning_once')],
                },
            ),
            migrations.CreateModel(
                name='Gate',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(choices=[('regulatory_snapshot', 'Regulatory snapshot'), ('mini_hta', 'Mini-HTA'), ('dpia', 'Data protection impact assessment'), ('dpa', 'Data processing agreement'), ('risk_analysis', 'Risk analysis'), ('local_validation', 'Local validation'), ('training', 'Training'), ('call_off_line', 'Active call-off line'), ('monitoring_plan', 'Monitoring plan')], max_length=30)),
                    ('is_passed', models.BooleanField(default=False)),
                    ('evidence', models.TextField(blank=True)),
                    ('owner', models.CharField(blank=True, max_length=200)),
                    ('decided_by', models.CharField(max_length=200)),
                    ('decided_on', models.DateField()),
                    ('valid_until', models.DateField(blank=True, null=True)),
                    ('details', models.JSONField(blank=True, default=dict)),
                    ('udi_di', models.CharField(blank=True, max_length=40)),
                    ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='gates', to='marketplace.deployment')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('deployment', 'kind'), name='gate_once')],
                },
            ),
            migrations.CreateModel(
                name='NoticeVersion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notices', to='marketplace.algorithmversion')),
                    ('notice', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='marketplace.safetynotice')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('notice', 'version'), name='notice_version_once')],
                },
            ),
            migrations.CreateModel(
                name='Signature',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('to', models.CharField(max_length=20)),
                    ('at', models.DateTimeField()),
                    ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='signatures', to='marketplace.deployment')),
                    ('move', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='signatures', to='marketplace.deploymentmove')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(condition=models.Q(('move__isnull', True)), fields=('deployment', 'user'), name='signature_waits_once')],
                },
            ),
        ]),
    ]

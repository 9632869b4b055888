"""The ASGI application: pages, API and server-sent events."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")

_django = get_asgi_application()

# no model can be imported before
from routing.run_doors import in_front_of  # noqa: E402

application = in_front_of(_django)

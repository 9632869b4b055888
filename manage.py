#!/usr/bin/env python
"""The command line of the hub: `python manage.py help` lists what it can do."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

# also what tells `manage.py hub` that starting a process again would not help
REFUSED = 2


def main() -> int:
    """Do what the command line says; a setting that cannot be meant is told in one line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as fault:
        if "--traceback" in sys.argv:
            raise
        sys.stderr.write(f"{fault}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())

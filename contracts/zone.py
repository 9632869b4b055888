"""Where contract years and billing periods turn at midnight, wherever the site lies."""

import zoneinfo

CONTRACT_ZONE = zoneinfo.ZoneInfo("Europe/Oslo")

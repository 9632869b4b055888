"""Everything that speaks DICOM; no Django and no business rules in here."""

from hub.dicom import discretion as discretion

"""Everything that speaks HL7 version 2; no Django and no business rules in here."""

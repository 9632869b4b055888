"""Billing: runs over what was used, invoices and credit notes, and what vendors claim beside."""

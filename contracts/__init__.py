"""Who may use what, under which agreement, and what was used."""

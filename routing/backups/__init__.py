"""The hub's database and spool as of one moment: made, verified, and put back in an empty place."""

"""The forms on the pages of the procurement side; each module has those of one part of it."""

"""The REST API of the procurement side; each module has that of one part of it."""

"""The way of a study as a small model, looked through in all of its states."""

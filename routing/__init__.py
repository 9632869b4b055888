"""The way of a study; open pathway.py first."""

"""A small API server on loopback that behaves as the recorded one did; see server.py."""

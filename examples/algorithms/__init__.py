"""Example algorithms: small, honest about what they do, not for clinical use."""

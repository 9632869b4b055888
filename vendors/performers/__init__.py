"""The ways of running an algorithm: one module for each way, none for any vendor."""

"""The command line of contracts."""

"""The whole set-up as one YAML file: apply it, export it."""

"""The frame of the hub and the wires to the world; it holds no business rule."""

# that of pyproject.toml, which is not in the image
VERSION = "0.1.0"

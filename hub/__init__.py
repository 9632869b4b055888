"""The frame of the hub and the wires to the world; it holds no business rule."""

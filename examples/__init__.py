"""Examples that ship with the hub; nothing in the hub imports them."""

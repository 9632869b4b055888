"""In charge of the names of what the hub writes: UIDs under 2.25 (PS3.5 B.2), repeatable or new."""

from uuid import UUID, uuid4, uuid5

# Drawn once at random. To change it is to rename everything the hub ever wrote.
_NAMESPACE = UUID("6b0e7c52-3f0d-4c56-9a6e-9d5c1f8c2a17")


def uid_for(*parts: str) -> str:
    """Give the one UID that belongs to these parts, the same at every call and on every machine.

    The first part is the uid of the Workitem, so that writing a result twice overwrites nothing
    and doubles nothing. At most 44 characters. Raises ValueError when there are no parts.
    """
    if not parts:
        raise ValueError("a UID needs at least one part to be named after")
    # Lengths keep ("ab", "c") and ("a", "bc") apart, whatever characters the parts hold.
    name = "".join(f"{len(part)}:{part}" for part in parts)
    return f"2.25.{uuid5(_NAMESPACE, name).int}"


def new_uid() -> str:
    """Give a UID that nobody has had before."""
    return f"2.25.{uuid4().int}"

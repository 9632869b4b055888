"""In charge of how many associations may be open at once: of all peers, and of one of them."""

import threading
from collections import Counter

# Calling AE title and address.
Caller = tuple[str, str]


class Places:
    """So many for all; one caller never has more than its share, and leaves others theirs.

    Safe to use from many threads.
    """

    def __init__(self, most: int, *, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._taken: Counter[Caller] = Counter()
        self._lock = threading.Lock()

    def take(self, caller: Caller) -> bool:
        """Take a place, if there is one for this caller."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[caller] >= self._of_one:
                return False
            self._taken[caller] += 1
            return True

    def give(self, caller: Caller) -> None:
        """Make room again."""
        with self._lock:
            self._taken[caller] -= 1
            if not self._taken[caller]:
                del self._taken[caller]

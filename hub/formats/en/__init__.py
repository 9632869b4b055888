"""English as it is written in Europe: the day never where an American reads the month."""

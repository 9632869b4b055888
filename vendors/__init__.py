"""Who supplies an algorithm, and how it is made to run."""

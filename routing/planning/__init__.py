"""How many GPUs a country needs: a day of arrivals, played with the hub's own rules."""

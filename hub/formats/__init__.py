"""How dates are written where Django's own way is not the one of the countries that use the hub."""

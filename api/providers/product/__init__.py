"""The product as seen from outside: what drills and smoke tests talk to."""

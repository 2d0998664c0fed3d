"""Measures the engine against the floor and against its peers, on servers of its own: `make bench`."""

"""Datastack: moves data from sources to a lake, a warehouse and its consumers."""

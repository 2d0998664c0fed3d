"""Reads REST APIs as they are declared, and lands nothing that contradicts itself."""

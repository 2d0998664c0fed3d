"""Arranges operators into the task groups that DAG files use."""

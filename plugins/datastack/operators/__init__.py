"""Airflow operators: thin moves around the engine."""

"""Reads sources. Knows no lake, no warehouse and no Airflow."""

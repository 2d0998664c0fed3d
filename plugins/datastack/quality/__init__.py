"""Runs data quality contracts as gates that fail closed."""

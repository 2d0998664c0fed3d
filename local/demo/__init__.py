"""The demo source systems: a year of real grocery purchases behind a database and an API."""

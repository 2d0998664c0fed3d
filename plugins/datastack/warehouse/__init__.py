"""Loads the warehouse, one transaction a slice, and keeps the ledger."""

"""DAGs of the bench."""

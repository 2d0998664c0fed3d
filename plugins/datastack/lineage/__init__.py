"""Names datasets and builds lineage facets, in one place."""

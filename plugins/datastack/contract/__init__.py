"""What a stream promises and how its source is read: declarations, types, conformance."""

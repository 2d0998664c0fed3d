"""Arrow and Postgres's binary COPY format, turned into each other by compiled kernels; checksums of rows."""

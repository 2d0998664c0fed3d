update ops.loads
set lake_deleted_at = clock_timestamp()
where
    manifest_key = any($1)
    and lake_deleted_at is null

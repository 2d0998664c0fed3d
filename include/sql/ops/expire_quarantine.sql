update ops.quarantine
set expired_at = clock_timestamp()
where
    regexp_replace(part_key, '/[^/]*$', '') = any($1)
    and expired_at is null

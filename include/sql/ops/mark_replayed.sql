update ops.quarantine
set
    replayed_at = clock_timestamp(),
    replay_load_id = $1
where quarantine_id = any($2)

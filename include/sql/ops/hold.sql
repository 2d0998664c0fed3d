insert into ops.holds (domain, reason, held_by)
values ($1, $2, $3)
on conflict (domain) do update
set
    reason = excluded.reason,
    held_by = excluded.held_by,
    held_at = excluded.held_at

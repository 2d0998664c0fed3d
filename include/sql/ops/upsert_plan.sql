insert into ops.plans (domain, dag_id, run_id, try_number, whole, reason)
values ($1, $2, $3, $4::bigint, $5, $6)
on conflict (domain) do update
set
    dag_id = excluded.dag_id,
    run_id = excluded.run_id,
    try_number = excluded.try_number,
    whole = excluded.whole,
    reason = excluded.reason,
    planned_at = excluded.planned_at,
    published_at = null

insert into ops.gate_results (
    gate,
    dataset,
    check_name,
    check_type,
    column_name,
    outcome,
    measured,
    threshold,
    dag_id,
    run_id,
    try_number
)
select
    $1,
    $2,
    checks.name,
    checks.type,
    checks.column,
    checks.outcome,
    checks.measured,
    checks.threshold,
    $3,
    $4,
    $5::bigint
from
    jsonb_to_recordset($6::text::jsonb) as checks (
        name text,
        type text,
        "column" text,
        outcome text,
        measured jsonb,
        threshold text
    )

insert into ops.gate_marks (source, stream, load_id, contract_digest, dag_id, run_id, try_number)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (source, stream) do update
set
    load_id = greatest(excluded.load_id, gate_marks.load_id),
    contract_digest = excluded.contract_digest,
    dag_id = excluded.dag_id,
    run_id = excluded.run_id,
    try_number = excluded.try_number,
    passed_at = clock_timestamp()

insert into ops.gate_samples (gate_result_id, rows, query)
values ($1, $2::text::jsonb, $3)

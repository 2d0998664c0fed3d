select
    (
        select count(*)
        from ops.gate_samples as samples
        inner join ops.gate_results as results on samples.gate_result_id = results.gate_result_id
        where results.checked_at < $1
    ) as samples,
    (
        select count(*)
        from ops.gate_results
        where checked_at < $2
    ) as results

delete from ops.gate_samples
using ops.gate_results as results
where gate_samples.gate_result_id = results.gate_result_id and results.checked_at < $1

select
    source,
    stream,
    rows,
    reasons
from ops.open_quarantine
where
    source = coalesce($1::text, source)
    and stream = coalesce($2::text, stream)
order by
    source,
    stream,
    quarantine_id

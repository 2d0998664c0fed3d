-- Rows of a chunk, and those among them that a transaction wrote which had not ended at the time of a snapshot.
-- Row versions carry 32 bits of their transaction's id; the rest follows from the current one.
select
    count(*),
    count(*) filter (
        where
        now_at.high + versions.xid - case when versions.xid > now_at.low then 4294967296 else 0 end >= $1::text::bigint
    )
from
    (select xmin::text::bigint as xid from {table} where {condition}) as versions
cross join (
    select
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint >> 32 << 32 as high,
        pg_snapshot_xmax(pg_current_snapshot())::text::bigint & 4294967295 as low
) as now_at

-- Rows that wait for a replay, by the folder of their part.
select
    regexp_replace(part_key, '/[^/]*$', '') as folder,
    sum(rows) as rows
from ops.quarantine
where
    regexp_replace(part_key, '/[^/]*$', '') = any($1)
    and replayed_at is null
    and expired_at is null
group by folder

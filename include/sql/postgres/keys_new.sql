-- Keys that no list had: alive, or deleted by the next list in time, as that lacks them.
insert into {known} ({key}, _deleted_at)
select distinct
    {key},
    (select min(extracted_at) from ops.loads where {of_stream} and extracted_at > $1::timestamptz)
from {listed} as listed
where not exists (
    select from {known} as known
    where {same_key}
)

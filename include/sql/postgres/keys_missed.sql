-- Keys that this list lacks: alive until now, or deleted by the very next list in time.
with missed as (
    update {known} as known
    set _deleted_at = $1::timestamptz
    where
        known._deleted_at is not distinct from (
            select min(extracted_at) from ops.loads where {of_stream} and extracted_at > $1::timestamptz
        )
        and not exists (
            select from {listed} as listed
            where {same_key}
        )
    returning {key}
)

insert into {touched}
select {key}
from missed

-- Keys that this list has, though they were deleted before it: alive, until the next list in time if that lacks them.
with back as (
    update {known} as known
    set _deleted_at = (
        select min(extracted_at) from ops.loads where {of_stream} and extracted_at > $1::timestamptz
    )
    where
        known._deleted_at <= $1::timestamptz
        and exists (
            select from {listed} as listed
            where {same_key}
        )
    returning {key}
)

insert into {touched}
select {key}
from back

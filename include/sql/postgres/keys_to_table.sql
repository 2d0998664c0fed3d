-- Mark the rows of keys that were deleted or live again, and new rows of keys that were deleted before they came.
update {table} as target
set _deleted_at = known._deleted_at
from {known} as known
inner join (
    select {key}
    from {touched}
    union all
    select {key}
    from {staged}
    inner join {known} using ({key})
    where _deleted_at is not null
) as touched using ({key})
where
    {row_key}
    and target._deleted_at is distinct from known._deleted_at

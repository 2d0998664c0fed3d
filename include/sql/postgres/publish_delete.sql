-- Whole rows are compared, nulls as equals, by a hash join: only what changed is written.
delete from {published} as published
where not exists (
    select 1
    from {built} as built
    where built = published
)

-- Whole rows are compared, nulls as equals, by a hash join: only what changed is written. Columns may stand in another
-- order than built, so that rows take the built table's type first.
delete from {published} as published
where
    {inside_published}
    and not exists (
        select 1
        from {built} as built
        where
            row({built_columns})::{built} = row({published_columns})::{built}
            and {inside_built}
    )

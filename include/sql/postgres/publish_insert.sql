insert into {published} ({columns})
select {built_columns}
from {built} as built
where
    {inside_built}
    and not exists (
        select 1
        from {published} as published
        where
            row({published_columns})::{built} = row({built_columns})::{built}
            and {inside_published}
    )

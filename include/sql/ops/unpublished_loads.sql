select
    loads.source,
    loads.stream,
    loads.load_id
from ops.loads as loads
where
    loads.source = any($2::text[])
    and not exists (
        select 1
        from ops.publication_loads as published
        inner join ops.publications as publications using (publication_id)
        where
            published.load_id = loads.load_id
            and publications.domain = $1
    )
order by loads.load_id

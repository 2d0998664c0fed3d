-- Loads that no standing publication of a domain holds.
select loads.load_id
from ops.loads as loads
inner join unnest($2::text [], $3::text []) as streams (source, stream) using (source, stream)
where
    not exists (
        select 1
        from ops.published_loads as published
        where
            published.load_id = loads.load_id
            and published.domain = $1
    )
order by loads.load_id

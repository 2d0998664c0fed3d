-- Loads that no standing publication of a domain holds. Ids say nothing of it: loads commit in any order.
select loads.load_id
from ops.loads as loads
inner join unnest($2::text [], $3::text []) as streams (source, stream) using (source, stream)
where
    not exists (
        select 1
        from ops.publication_loads as published
        inner join ops.publications as publications using (publication_id)
        where
            published.load_id = loads.load_id
            and publications.domain = $1
            and publications.rolled_back_at is null
    )
order by loads.load_id

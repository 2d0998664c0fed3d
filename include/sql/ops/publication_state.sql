-- What a plan follows from: the publication that stands and its code, whether the last one was rolled back, whether a
-- whole plan was never published, and whether the domain is on hold.
select
    standing.publication_id,
    standing.models,
    (
        select case when rolled_back_at is not null then publication_id end
        from ops.publications
        where domain = $1
        order by publication_id desc
        limit 1
    ) as rolled_back,
    (select reason from ops.plans where domain = $1 and whole and published_at is null) as left_over,
    (select reason || ', by ' || held_by || ' at ' || held_at from ops.holds where domain = $1) as hold
from (select 1) as always
left join lateral (
    select
        publication_id,
        models
    from ops.publications
    where
        domain = $1
        and rolled_back_at is null
    order by publication_id desc
    limit 1
) as standing on true

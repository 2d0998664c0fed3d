-- Loads that came since a domain was planned, and of which dbt may have read rows that no gate has seen: none has let
-- the load pass yet, or what a gate has let pass since is what a later load made of it. Ids and times say nothing of
-- what came since: loads commit in any order. In the place of superseded loads, nothing was ever read.
select loads.*
from ops.loads as loads
inner join ops.load_states as states using (load_id)
where
    not loads.superseded
    and not exists (
        select 1
        from ops.plan_loads as planned
        where
            planned.load_id = loads.load_id
            and planned.domain = $3
    )
    and not exists (
        select 1
        from ops.published_loads as published
        where
            published.load_id = loads.load_id
            and published.domain = $3
    )
    and (
        loads.load_id in (select ungated.load_id from ops.ungated_loads as ungated)
        or not states.stands
        or states.is_cut
        or exists (
            select 1
            from ops.loads as newer
            where
                newer.source = loads.source
                and newer.stream = loads.stream
                and newer.load_id > loads.load_id
                and newer.write_disposition in ('merge', 'scd2')
                and not newer.superseded
        )
    )

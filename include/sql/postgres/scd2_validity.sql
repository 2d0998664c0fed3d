-- Until when each version of the touched keys is valid: to the next one, or to its deletion; never less than nothing.
create temporary table {validity} on commit drop as
with versions as (
    select
        {key},
        target._valid_from as valid_from,
        {old_deleted_at} as own_deleted_at,
        target.ctid as row_id,
        false as is_new
    from {table} as target
    inner join (select distinct {key} from {touched}) as touched using ({key})
    {gone}
    union all
    select
        {key},
        {valid_from} as valid_from,
        {new_deleted_at} as own_deleted_at,
        staged.ctid as row_id,
        true as is_new
    from {staged} as staged
    {gone}
),

neighbours as (
    select
        *,
        lead(valid_from) over in_time as next_from,
        lead(own_deleted_at) over in_time as next_deleted_at
    from versions
    window in_time as (partition by {key} order by valid_from)
),

dated as (
    select
        row_id,
        is_new,
        valid_from,
        {deleted_at} as deleted_at,
        next_from is null as is_last,
        least(next_from, {next_deleted_at}, {deleted_at}) as ends
    from neighbours
)

select
    row_id,
    is_new,
    valid_from,
    deleted_at,
    case when ends is not null then greatest(ends, valid_from) end as valid_to,
    is_last and deleted_at is null as is_current
from dated

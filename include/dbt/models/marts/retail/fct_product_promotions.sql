{% set slices = {'source': 'promotions', 'stream': 'promotions', 'column': 'week_start_date'} %}

{{
    config(
        materialized='incremental',
        incremental_strategy='planned_slices',
        on_schema_change='fail',
        meta={'slices': slices},
        indexes=slice_indexes(slices),
    )
}}

with promotions as (

    select stg_promotions.*
    from {{ ref('stg_promotions__promotions') }} as stg_promotions
    {{ join_planned_slices(slices, 'stg_promotions', ref('stg_ledger__planned_slices')) }}

),

-- DISTINCT: about 1 in 1,600 placements is described twice, with two places in the store.
summed as (

    select
        product_id,
        week_start_date,
        count(distinct store_id) as store_count,
        count(distinct case when is_on_display then store_id end) as display_store_count,
        count(distinct case when is_in_mailer then store_id end) as mailer_store_count
    from promotions
    group by product_id, week_start_date

)

select
    {{ surrogate_key(['product_id']) }} as product_key,
    product_id,
    week_start_date,
    store_count,
    display_store_count,
    mailer_store_count
from summed

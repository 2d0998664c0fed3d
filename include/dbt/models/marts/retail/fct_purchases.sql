{% set slices = {'source': 'retail_db', 'stream': 'transactions', 'column': 'purchased_at'} %}

{{
    config(
        materialized='incremental',
        incremental_strategy='planned_slices',
        on_schema_change='fail',
        meta={'slices': slices},
        indexes=slice_indexes(slices),
    )
}}

with transactions as (

    select stg_transactions.*
    from {{ ref('stg_retail_db__transactions') }} as stg_transactions
    {{ join_planned_slices(slices, 'stg_transactions', ref('stg_ledger__planned_slices')) }}

)

select
    basket_id,
    {{ surrogate_key(['product_id']) }} as product_key,
    {{ surrogate_key(['household_id']) }} as household_key,
    {{ surrogate_key(['store_id']) }} as store_key,
    purchased_at,
    purchase_date,
    quantity,
    sales_amount_usd,
    retail_discount_usd,
    coupon_discount_usd,
    coupon_match_discount_usd
from transactions

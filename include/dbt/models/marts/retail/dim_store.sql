with transactions as (

    select * from {{ ref('stg_retail_db__transactions') }}

),

-- No source lists stores: those are known at whose tills something was bought.
stores as (

    select
        store_id,
        min(purchase_date) as first_purchase_date
    from transactions
    group by store_id

)

select
    {{ surrogate_key(['store_id']) }} as store_key,
    store_id,
    first_purchase_date
from stores

with transactions as (

    select * from {{ ref('stg_retail_db__transactions') }}

)

select
    basket_id,
    product_id,
    household_id,
    store_id,
    purchased_at,
    purchase_date,
    quantity,
    sales_amount_usd,
    retail_discount_usd,
    coupon_discount_usd,
    coupon_match_discount_usd
from transactions

with redemptions as (

    select * from {{ ref('stg_marketing_api__redemptions') }}

)

select
    redemption_id,
    {{ surrogate_key(['campaign_id']) }} as campaign_key,
    {{ surrogate_key(['household_id']) }} as household_key,
    redemption_date,
    coupon_upc
from redemptions

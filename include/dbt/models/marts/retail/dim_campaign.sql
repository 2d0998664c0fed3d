with campaigns as (

    select * from {{ ref('stg_marketing_api__campaigns') }}

),

targeted as (

    select
        campaign_id,
        count(*) as targeted_household_count
    from {{ ref('stg_marketing_api__campaign_households') }}
    group by campaign_id

),

coupons as (

    select
        campaign_id,
        count(distinct coupon_upc) as coupon_count,
        count(distinct product_id) as promoted_product_count
    from {{ ref('stg_marketing_api__coupons') }}
    group by campaign_id

)

select
    campaigns.campaign_id,
    campaigns.campaign_type,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.end_date - campaigns.start_date + 1 as duration_days,
    coalesce(targeted.targeted_household_count, 0) as targeted_household_count,
    coalesce(coupons.coupon_count, 0) as coupon_count,
    coalesce(coupons.promoted_product_count, 0) as promoted_product_count
from campaigns
left join targeted on campaigns.campaign_id = targeted.campaign_id
left join coupons on campaigns.campaign_id = coupons.campaign_id

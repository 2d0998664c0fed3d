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

),

-- UNION without ALL: each campaign once, however many lists and redemptions name it.
members as (

    select campaign_id from campaigns
    union
    select campaign_id from targeted
    union
    select campaign_id from coupons
    union
    select campaign_id from {{ ref('stg_marketing_api__redemptions') }}

)

select
    {{ surrogate_key(['members.campaign_id']) }} as campaign_key,
    members.campaign_id,
    coalesce(campaigns.campaign_type, '{{ var("unknown_member") }}') as campaign_type,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.end_date - campaigns.start_date + 1 as duration_days,
    coalesce(targeted.targeted_household_count, 0) as targeted_household_count,
    coalesce(coupons.coupon_count, 0) as coupon_count,
    coalesce(coupons.promoted_product_count, 0) as promoted_product_count,
    campaigns.campaign_id is not null as is_listed
from members
left join campaigns on members.campaign_id = campaigns.campaign_id
left join targeted on members.campaign_id = targeted.campaign_id
left join coupons on members.campaign_id = coupons.campaign_id

with campaigns as (

    select * from {{ ref('dim_campaign') }}

),

targeted as (

    select
        {{ surrogate_key(['campaign_id']) }} as campaign_key,
        {{ surrogate_key(['household_id']) }} as household_key
    from {{ ref('stg_marketing_api__campaign_households') }}

),

redemptions as (

    select
        campaign_key,
        household_key,
        count(*) as redemption_count,
        min(redemption_date) as first_redemption_date
    from {{ ref('fct_coupon_redemptions') }}
    group by campaign_key, household_key

),

baskets as (

    select * from {{ ref('int_retail__baskets_summed') }}

),

purchases_in_period as (

    select
        campaigns.campaign_key,
        baskets.household_key,
        count(*) as basket_count,
        sum(baskets.sales_amount_usd) as sales_amount_usd
    from targeted
    inner join campaigns on targeted.campaign_key = campaigns.campaign_key
    inner join baskets
        on
            targeted.household_key = baskets.household_key
            and baskets.purchase_date between campaigns.start_date and campaigns.end_date
    group by campaigns.campaign_key, baskets.household_key

),

-- A full join: coupons get passed on, so a household that was not targeted can redeem one.
joined as (

    select
        coalesce(targeted.campaign_key, redemptions.campaign_key) as campaign_key,
        coalesce(targeted.household_key, redemptions.household_key) as household_key,
        targeted.household_key is not null as is_targeted,
        coalesce(redemptions.redemption_count, 0) as redemption_count,
        redemptions.first_redemption_date
    from targeted
    full outer join redemptions
        on
            targeted.campaign_key = redemptions.campaign_key
            and targeted.household_key = redemptions.household_key

)

select
    joined.campaign_key,
    joined.household_key,
    joined.is_targeted,
    joined.redemption_count,
    joined.first_redemption_date,
    coalesce(purchases_in_period.basket_count, 0) as basket_count,
    cast(coalesce(purchases_in_period.sales_amount_usd, 0) as numeric(12, 2)) as sales_amount_usd
from joined
left join purchases_in_period
    on
        joined.campaign_key = purchases_in_period.campaign_key
        and joined.household_key = purchases_in_period.household_key

with campaigns as (

    select * from {{ ref('stg_marketing_api__campaigns') }}

),

targeted as (

    select * from {{ ref('stg_marketing_api__campaign_households') }}

),

redemptions as (

    select
        campaign_id,
        household_id,
        count(*) as redemption_count,
        min(redemption_date) as first_redemption_date
    from {{ ref('stg_marketing_api__redemptions') }}
    group by campaign_id, household_id

),

baskets as (

    select * from {{ ref('int_retail__baskets_summed') }}

),

purchases_in_period as (

    select
        campaigns.campaign_id,
        baskets.household_id,
        count(*) as basket_count,
        sum(baskets.sales_amount_usd) as sales_amount_usd
    from targeted
    inner join campaigns on targeted.campaign_id = campaigns.campaign_id
    inner join baskets
        on
            targeted.household_id = baskets.household_id
            and baskets.purchase_date between campaigns.start_date and campaigns.end_date
    group by campaigns.campaign_id, baskets.household_id

),

-- A full join: coupons get passed on, so a household that was not targeted can redeem one.
joined as (

    select
        coalesce(targeted.campaign_id, redemptions.campaign_id) as campaign_id,
        coalesce(targeted.household_id, redemptions.household_id) as household_id,
        targeted.household_id is not null as is_targeted,
        coalesce(redemptions.redemption_count, 0) as redemption_count,
        redemptions.first_redemption_date
    from targeted
    full outer join redemptions
        on
            targeted.campaign_id = redemptions.campaign_id
            and targeted.household_id = redemptions.household_id

)

select
    joined.campaign_id,
    joined.household_id,
    joined.is_targeted,
    joined.redemption_count,
    joined.first_redemption_date,
    coalesce(purchases_in_period.basket_count, 0) as basket_count,
    cast(coalesce(purchases_in_period.sales_amount_usd, 0) as numeric(12, 2)) as sales_amount_usd
from joined
left join purchases_in_period
    on
        joined.campaign_id = purchases_in_period.campaign_id
        and joined.household_id = purchases_in_period.household_id

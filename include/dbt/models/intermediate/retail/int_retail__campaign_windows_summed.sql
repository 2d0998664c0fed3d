with campaigns as (

    select
        campaign_key,
        start_date - duration_days as before_date,
        start_date,
        end_date
    from {{ ref('dim_campaign') }}
    where duration_days is not null

),

baskets as (

    select * from {{ ref('int_retail__baskets_summed') }}

),

known_households as (

    select
        household_key,
        min(purchase_date) as first_purchase_date
    from baskets
    group by household_key

),

redeemed as (

    -- DISTINCT: a household redeems several coupons of a campaign and belongs to its redeemers once.
    select distinct
        campaign_key,
        household_key
    from {{ ref('fct_coupon_redemptions') }}

),

sales as (

    select
        campaigns.campaign_key,
        baskets.household_key,
        sum(case when baskets.purchase_date < campaigns.start_date then baskets.sales_amount_usd else 0 end)
            as sales_before_usd,
        sum(case when baskets.purchase_date >= campaigns.start_date then baskets.sales_amount_usd else 0 end)
            as sales_during_usd
    from campaigns
    inner join baskets on baskets.purchase_date between campaigns.before_date and campaigns.end_date
    group by campaigns.campaign_key, baskets.household_key

),

-- Households that were customers before the first window begins; others have no past to compare with.
customers as (

    select
        campaigns.campaign_key,
        known_households.household_key,
        redeemed.household_key is not null as is_redeemer,
        cast(coalesce(sales.sales_before_usd, 0) as numeric(12, 2)) as sales_before_usd,
        cast(coalesce(sales.sales_during_usd, 0) as numeric(12, 2)) as sales_during_usd
    from campaigns
    inner join known_households on campaigns.before_date >= known_households.first_purchase_date
    left join redeemed
        on
            campaigns.campaign_key = redeemed.campaign_key
            and known_households.household_key = redeemed.household_key
    left join sales
        on
            campaigns.campaign_key = sales.campaign_key
            and known_households.household_key = sales.household_key

)

select
    campaign_key,
    household_key,
    is_redeemer,
    sales_before_usd,
    sales_during_usd,
    -- Whole numbers only, so that equal spending is in one decile, and the same one in every database.
    cast(
        (rank() over (partition by campaign_key order by sales_before_usd) - 1) * 10
        / count(*) over (partition by campaign_key)
        as integer
    ) + 1 as spend_decile
from customers

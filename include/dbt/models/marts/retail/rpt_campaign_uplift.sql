with campaigns as (

    select
        *,
        start_date - duration_days as before_date
    from {{ ref('dim_campaign') }}

),

-- From the data and never from the clock.
purchases as (

    select
        min(purchase_date) as first_date,
        max(purchase_date) as last_date
    from {{ ref('int_retail__baskets_summed') }}

),

redeemers as (

    select
        campaign_key,
        count(distinct household_key) as redeeming_household_count
    from {{ ref('fct_coupon_redemptions') }}
    group by campaign_key

),

deciles as (

    select
        campaign_key,
        spend_decile,
        sum(case when is_redeemer then 1 else 0 end) as redeemer_count,
        sum(case when is_redeemer then 0 else 1 end) as comparison_count,
        sum(case when is_redeemer then sales_before_usd else 0 end) as redeemer_before_usd,
        sum(case when is_redeemer then sales_during_usd else 0 end) as redeemer_during_usd,
        sum(case when is_redeemer then 0 else sales_before_usd end) as comparison_before_usd,
        sum(case when is_redeemer then 0 else sales_during_usd end) as comparison_during_usd
    from {{ ref('int_retail__campaign_windows_summed') }}
    group by campaign_key, spend_decile

),

-- Each decile weighs what it has of redeemers, on both sides; one without them, or without others, compares
-- nothing.
compared as (

    select
        campaign_key,
        sum(redeemer_count) as redeemer_count,
        sum(comparison_count) as comparison_count,
        sum(redeemer_before_usd) / sum(redeemer_count) as redeemer_before_usd,
        sum(redeemer_during_usd) / sum(redeemer_count) as redeemer_during_usd,
        sum(comparison_before_usd * redeemer_count / comparison_count) / sum(redeemer_count)
            as comparison_before_usd,
        sum(comparison_during_usd * redeemer_count / comparison_count) / sum(redeemer_count)
            as comparison_during_usd
    from deciles
    where redeemer_count > 0 and comparison_count > 0
    group by campaign_key

),

measured as (

    select
        *,
        (redeemer_during_usd - redeemer_before_usd) - (comparison_during_usd - comparison_before_usd)
            as uplift_usd
    from compared

)

select
    campaigns.campaign_key,
    campaigns.campaign_id,
    campaigns.campaign_type,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.duration_days,
    measured.campaign_key is not null as is_measured,
    coalesce(redeemers.redeeming_household_count, 0) as redeeming_household_count,
    cast(coalesce(measured.redeemer_count, 0) as bigint) as measured_redeemer_count,
    cast(coalesce(measured.comparison_count, 0) as bigint) as comparison_household_count,
    cast(measured.redeemer_before_usd as numeric(12, 2)) as redeemer_sales_before_usd,
    cast(measured.redeemer_during_usd as numeric(12, 2)) as redeemer_sales_during_usd,
    cast(measured.comparison_before_usd as numeric(12, 2)) as comparison_sales_before_usd,
    cast(measured.comparison_during_usd as numeric(12, 2)) as comparison_sales_during_usd,
    cast(measured.uplift_usd as numeric(12, 2)) as uplift_per_household_usd,
    cast(measured.uplift_usd * measured.redeemer_count as numeric(14, 2)) as uplift_amount_usd
from campaigns
cross join purchases
left join redeemers on campaigns.campaign_key = redeemers.campaign_key
left join measured
    on
        campaigns.campaign_key = measured.campaign_key
        and campaigns.before_date >= purchases.first_date
        and campaigns.end_date <= purchases.last_date

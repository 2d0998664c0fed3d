with campaigns as (

    select * from {{ ref('dim_campaign') }}

),

responses as (

    select
        campaign_key,
        sum(case when is_targeted and redemption_count > 0 then 1 else 0 end) as redeeming_household_count,
        sum(case when not is_targeted then 1 else 0 end) as untargeted_redeeming_household_count,
        sum(redemption_count) as redemption_count,
        sum(case when is_targeted and basket_count > 0 then 1 else 0 end) as buying_household_count,
        sum(basket_count) as basket_count,
        sum(sales_amount_usd) as sales_amount_usd
    from {{ ref('int_retail__campaign_responses_joined') }}
    group by campaign_key

)

select
    campaigns.campaign_key,
    campaigns.campaign_id,
    campaigns.campaign_type,
    campaigns.start_date,
    campaigns.end_date,
    campaigns.targeted_household_count,
    cast(coalesce(responses.redeeming_household_count, 0) as bigint) as redeeming_household_count,
    cast(coalesce(responses.untargeted_redeeming_household_count, 0) as bigint)
        as untargeted_redeeming_household_count,
    cast(coalesce(responses.redemption_count, 0) as bigint) as redemption_count,
    -- A campaign without targets has no rate, which is not the same as nobody having responded.
    cast(
        1.0 * coalesce(responses.redeeming_household_count, 0) / nullif(campaigns.targeted_household_count, 0)
        as numeric(7, 6)
    ) as response_rate,
    cast(coalesce(responses.buying_household_count, 0) as bigint) as buying_household_count,
    cast(coalesce(responses.basket_count, 0) as bigint) as basket_count,
    cast(coalesce(responses.sales_amount_usd, 0) as numeric(14, 2)) as sales_amount_usd
from campaigns
left join responses on campaigns.campaign_key = responses.campaign_key

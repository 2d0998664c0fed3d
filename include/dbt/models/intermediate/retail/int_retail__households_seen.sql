with sightings as (

    select
        household_id,
        min(purchased_at) as first_seen_at
    from {{ ref('stg_retail_db__transactions') }}
    group by household_id
    union all
    select
        targeted.household_id,
        {{ utc_midnight('campaigns.start_date') }} as first_seen_at
    from {{ ref('stg_marketing_api__campaign_households') }} as targeted
    -- LEFT: a household of a campaign that is not listed is seen all the same.
    left join {{ ref('stg_marketing_api__campaigns') }} as campaigns
        on targeted.campaign_id = campaigns.campaign_id
    union all
    select
        household_id,
        {{ utc_midnight('redemption_date') }} as first_seen_at
    from {{ ref('stg_marketing_api__redemptions') }}

)

select
    household_id,
    min(first_seen_at) as first_seen_at
from sightings
group by household_id

with households as (

    select * from {{ ref('stg_retail_db__households') }}

),

-- UNION without ALL: each household once, however many facts name it.
seen as (

    select household_id from {{ ref('int_retail__baskets_summed') }}
    union
    select household_id from {{ ref('stg_marketing_api__campaign_households') }}
    union
    select household_id from {{ ref('stg_marketing_api__redemptions') }}

),

listed as (

    select
        household_id,
        age_band,
        household_size_band,
        household_composition,
        kids_count_band,
        home_ownership,
        age_band is not null as is_demographics_known,
        false as is_inferred,
        updated_at as source_updated_at
    from households

),

inferred as (

    select
        seen.household_id,
        cast(null as varchar) as age_band,
        cast(null as varchar) as household_size_band,
        cast(null as varchar) as household_composition,
        cast(null as varchar) as kids_count_band,
        cast(null as varchar) as home_ownership,
        false as is_demographics_known,
        true as is_inferred,
        cast(null as timestamp with time zone) as source_updated_at
    from seen
    left join households on seen.household_id = households.household_id
    where households.household_id is null

)

select * from listed
union all
select * from inferred

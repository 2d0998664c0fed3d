with source as (

    select * from {{ source('marketing_api', 'campaigns') }}

),

unnested as (

    select
        source.campaign_id,
        elements.household_id
    from source
    {{ unnest_array('source.household_ids', 'household_id') }}

)

select * from unnested

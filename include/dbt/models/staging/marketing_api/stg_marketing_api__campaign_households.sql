with source as (

    select * from {{ source('marketing_api', 'campaign_households') }}

),

renamed as (

    select
        campaign_id,
        household_id
    from source

)

select * from renamed

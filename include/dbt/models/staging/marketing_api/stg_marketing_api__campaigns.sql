with source as (

    select * from {{ source('marketing_api', 'campaigns') }}

),

renamed as (

    select
        campaign_id,
        campaign_type,
        start_date,
        end_date
    from source

)

select * from renamed

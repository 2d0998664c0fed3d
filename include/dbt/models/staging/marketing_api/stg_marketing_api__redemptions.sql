with source as (

    select * from {{ source('marketing_api', 'redemptions') }}

),

renamed as (

    select
        redemption_id,
        campaign_id,
        household_id,
        coupon_upc,
        redemption_date,
        updated_at
    from source

)

select * from renamed

with source as (

    select * from {{ source('marketing_api', 'coupons') }}

),

renamed as (

    -- DISTINCT: the API repeats about 4 % of its rows exactly, and a repeated row says nothing new.
    select distinct
        campaign_id,
        coupon_upc,
        product_id
    from source

)

select * from renamed

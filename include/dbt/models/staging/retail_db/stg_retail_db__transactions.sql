with source as (

    select * from {{ source('retail_db', 'transactions') }}

),

renamed as (

    select
        basket_id,
        product_id,
        household_id,
        store_id,
        transaction_at as purchased_at,
        {{ utc_date('transaction_at') }} as purchase_date,
        week as source_week,
        quantity,
        sales_value as sales_amount_usd,
        retail_disc as retail_discount_usd,
        coupon_disc as coupon_discount_usd,
        coupon_match_disc as coupon_match_discount_usd
    from source

)

select * from renamed

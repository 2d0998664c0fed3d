with source as (

    select * from {{ source('promotions', 'promotions') }}

),

renamed as (

    select
        product_id,
        store_id,
        week_start as week_start_date,
        week as source_week,
        display_location as display_location_code,
        mailer_location as mailer_location_code,
        display_location != '0' as is_on_display,
        mailer_location != '0' as is_in_mailer,
        _load_id as load_id
    from source

)

select * from renamed

with source as (

    select * from {{ source('retail_db', 'products') }}

),

renamed as (

    select
        product_id,
        manufacturer_id,
        department,
        brand,
        product_category,
        product_type,
        package_size,
        updated_at
    from source

)

select * from renamed

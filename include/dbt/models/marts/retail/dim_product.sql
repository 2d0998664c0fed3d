with products as (

    select * from {{ ref('stg_retail_db__products') }}

),

-- DISTINCT: a product is sold many times and belongs in the dimension once.
sold as (

    select distinct product_id from {{ ref('fct_purchases') }}

),

listed as (

    select
        product_id,
        manufacturer_id,
        coalesce(department, '{{ var("unknown_member") }}') as department,
        product_category,
        product_type,
        brand,
        package_size,
        true as is_listed,
        updated_at as source_updated_at
    from products

),

inferred as (

    select
        sold.product_id,
        cast(null as bigint) as manufacturer_id,
        cast('{{ var("unknown_member") }}' as varchar) as department,
        cast(null as varchar) as product_category,
        cast(null as varchar) as product_type,
        cast(null as varchar) as brand,
        cast(null as varchar) as package_size,
        false as is_listed,
        cast(null as timestamp with time zone) as source_updated_at
    from sold
    left join products on sold.product_id = products.product_id
    where products.product_id is null

)

select * from listed
union all
select * from inferred

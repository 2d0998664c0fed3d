with products as (

    select * from {{ ref('stg_retail_db__products') }}

),

-- UNION without ALL: each product once, however many facts name it.
seen as (

    select product_id from {{ ref('stg_retail_db__transactions') }}
    union
    select product_id from {{ ref('fct_product_promotions') }}

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
        seen.product_id,
        cast(null as bigint) as manufacturer_id,
        cast('{{ var("unknown_member") }}' as varchar) as department,
        cast(null as varchar) as product_category,
        cast(null as varchar) as product_type,
        cast(null as varchar) as brand,
        cast(null as varchar) as package_size,
        false as is_listed,
        cast(null as timestamp with time zone) as source_updated_at
    from seen
    left join products on seen.product_id = products.product_id
    where products.product_id is null

),

members as (

    select * from listed
    union all
    select * from inferred

)

select
    {{ surrogate_key(['product_id']) }} as product_key,
    product_id,
    manufacturer_id,
    department,
    product_category,
    product_type,
    brand,
    package_size,
    is_listed,
    source_updated_at
from members

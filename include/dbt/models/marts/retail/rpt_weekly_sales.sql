with basket_departments as (

    select * from {{ ref('int_retail__basket_departments_summed') }}

),

summed as (

    select
        week_start_date,
        department,
        count(distinct household_key) as household_count,
        count(*) as basket_count,
        cast(sum(purchase_count) as bigint) as purchase_count,
        cast(sum(unit_count) as bigint) as unit_count,
        cast(sum(sales_amount_usd) as numeric(14, 2)) as sales_amount_usd,
        cast(sum(promoted_sales_amount_usd) as numeric(14, 2)) as promoted_sales_amount_usd,
        cast(sum(retail_discount_usd) as numeric(14, 2)) as retail_discount_usd,
        cast(sum(coupon_discount_usd) as numeric(14, 2)) as coupon_discount_usd,
        cast(sum(coupon_match_discount_usd) as numeric(14, 2)) as coupon_match_discount_usd
    from basket_departments
    group by week_start_date, department

)

select
    {{ surrogate_key([iso_date('week_start_date'), 'department']) }} as weekly_sales_key,
    week_start_date,
    department,
    household_count,
    basket_count,
    purchase_count,
    unit_count,
    sales_amount_usd,
    promoted_sales_amount_usd,
    retail_discount_usd,
    coupon_discount_usd,
    coupon_match_discount_usd
from summed

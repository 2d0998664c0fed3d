with purchases as (

    select * from {{ ref('fct_purchases') }}

),

products as (

    select * from {{ ref('dim_product') }}

),

dates as (

    select * from {{ ref('dim_date') }}

),

summed as (

    select
        dates.week_start_date,
        products.department,
        count(distinct purchases.household_id) as household_count,
        count(distinct purchases.basket_id) as basket_count,
        count(*) as purchase_count,
        sum(purchases.quantity) as unit_count,
        cast(sum(purchases.sales_amount_usd) as numeric(14, 2)) as sales_amount_usd,
        cast(sum(purchases.retail_discount_usd) as numeric(14, 2)) as retail_discount_usd,
        cast(sum(purchases.coupon_discount_usd) as numeric(14, 2)) as coupon_discount_usd,
        cast(sum(purchases.coupon_match_discount_usd) as numeric(14, 2)) as coupon_match_discount_usd
    from purchases
    inner join products on purchases.product_id = products.product_id
    inner join dates on purchases.purchase_date = dates.calendar_date
    group by dates.week_start_date, products.department

)

select
    {{ surrogate_key(['week_start_date', 'department']) }} as weekly_sales_id,
    week_start_date,
    department,
    household_count,
    basket_count,
    purchase_count,
    unit_count,
    sales_amount_usd,
    retail_discount_usd,
    coupon_discount_usd,
    coupon_match_discount_usd
from summed

with purchases as (

    select
        fct_purchases.*,
        {{ period_start('week', 'purchase_date') }} as week_start_date
    from {{ ref('fct_purchases') }} as fct_purchases

),

products as (

    select * from {{ ref('dim_product') }}

),

promoted as (

    select
        product_key,
        week_start_date
    from {{ ref('fct_product_promotions') }}
    where display_store_count > 0 or mailer_store_count > 0

)

select
    purchases.basket_id,
    purchases.household_key,
    purchases.purchase_date,
    purchases.week_start_date,
    products.department,
    count(*) as purchase_count,
    sum(purchases.quantity) as unit_count,
    cast(sum(purchases.sales_amount_usd) as numeric(12, 2)) as sales_amount_usd,
    cast(
        sum(case when promoted.product_key is not null then purchases.sales_amount_usd else 0 end)
        as numeric(12, 2)
    ) as promoted_sales_amount_usd,
    cast(sum(purchases.retail_discount_usd) as numeric(12, 2)) as retail_discount_usd,
    cast(sum(purchases.coupon_discount_usd) as numeric(12, 2)) as coupon_discount_usd,
    cast(sum(purchases.coupon_match_discount_usd) as numeric(12, 2)) as coupon_match_discount_usd
from purchases
inner join products on purchases.product_key = products.product_key
left join promoted
    on
        purchases.product_key = promoted.product_key
        and purchases.week_start_date = promoted.week_start_date
group by
    purchases.basket_id,
    purchases.household_key,
    purchases.purchase_date,
    purchases.week_start_date,
    products.department

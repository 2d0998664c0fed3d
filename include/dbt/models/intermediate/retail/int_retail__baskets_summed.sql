with purchases as (

    select * from {{ ref('fct_purchases') }}

),

summed as (

    select
        basket_id,
        household_id,
        min(purchase_date) as purchase_date,
        cast(sum(sales_amount_usd) as numeric(12, 2)) as sales_amount_usd
    from purchases
    group by basket_id, household_id

)

select * from summed

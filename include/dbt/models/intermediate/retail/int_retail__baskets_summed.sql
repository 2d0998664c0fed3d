with basket_departments as (

    select * from {{ ref('int_retail__basket_departments_summed') }}

),

summed as (

    select
        basket_id,
        household_key,
        purchase_date,
        cast(sum(sales_amount_usd) as numeric(12, 2)) as sales_amount_usd
    from basket_departments
    group by basket_id, household_key, purchase_date

)

select * from summed

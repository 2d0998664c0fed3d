with households as (

    select * from {{ ref('dim_household') }}

),

baskets as (

    select * from {{ ref('int_retail__baskets_summed') }}

),

-- The last day of the data, never today: the same data gives the same report.
as_of as (

    select max(purchase_date) as as_of_date
    from baskets

),

bought as (

    select
        baskets.household_key,
        min(baskets.purchase_date) as first_purchase_date,
        max(baskets.purchase_date) as last_purchase_date,
        sum(case when baskets.purchase_date > as_of.as_of_date - 364 then 1 else 0 end) as basket_count,
        sum(case when baskets.purchase_date > as_of.as_of_date - 364 then baskets.sales_amount_usd else 0 end)
            as sales_amount_usd
    from baskets
    cross join as_of
    group by baskets.household_key

),

activity as (

    select
        households.household_key,
        households.household_id,
        as_of.as_of_date,
        bought.first_purchase_date,
        bought.last_purchase_date,
        as_of.as_of_date - bought.last_purchase_date as recency_days,
        coalesce(bought.basket_count, 0) as basket_count,
        cast(coalesce(bought.sales_amount_usd, 0) as numeric(14, 2)) as sales_amount_usd
    from households
    cross join as_of
    left join bought on households.household_key = bought.household_key

),

-- Households that are as good as each other have the same rank, so that no score is a matter of chance.
ranked as (

    select
        *,
        rank() over (order by last_purchase_date nulls first) as recency_rank,
        rank() over (order by basket_count) as frequency_rank,
        rank() over (order by sales_amount_usd) as monetary_rank,
        count(*) over () as household_count
    from activity

)

select
    household_key,
    household_id,
    as_of_date,
    first_purchase_date,
    last_purchase_date,
    recency_days,
    cast(basket_count as bigint) as basket_count,
    sales_amount_usd,
    cast((recency_rank - 1) * 5 / household_count as integer) + 1 as recency_score,
    cast((frequency_rank - 1) * 5 / household_count as integer) + 1 as frequency_score,
    cast((monetary_rank - 1) * 5 / household_count as integer) + 1 as monetary_score,
    case
        when recency_days is null then 'Never bought'
        when recency_days < 28 then 'Active'
        when recency_days < 91 then 'Slipping'
        else 'Lapsed'
    end as activity_status
from ranked

with spans as (

    select
        min(purchase_date) as first_date,
        max(purchase_date) as last_date
    from {{ ref('fct_purchases') }}
    union all
    select
        min(start_date) as first_date,
        max(end_date) as last_date
    from {{ ref('stg_marketing_api__campaigns') }}
    union all
    select
        min(redemption_date) as first_date,
        max(redemption_date) as last_date
    from {{ ref('stg_marketing_api__redemptions') }}
    union all
    select
        min(week_start_date) as first_date,
        max(week_start_date) as last_date
    from {{ ref('fct_product_promotions') }}

),

-- From the data and never from the clock: the same raw data gives the same calendar. Whole weeks, because
-- weekly reports point at Mondays.
bounds as (

    select
        {{ period_start('week', 'min(first_date)') }} as first_date,
        {{ period_start('week', 'max(last_date)') }} + 6 as last_date
    from spans

),

days as (

    {{ date_series('bounds.first_date', 'bounds.last_date', 'bounds') }}

),

weeks as (

    select
        calendar_date,
        {{ period_start('week', 'calendar_date') }} as week_start_date
    from days

)

select
    calendar_date,
    week_start_date,
    {{ period_start('month', 'calendar_date') }} as month_start_date,
    cast(extract(year from calendar_date) as integer) as calendar_year,
    cast(extract(quarter from calendar_date) as integer) as calendar_quarter,
    cast(extract(month from calendar_date) as integer) as calendar_month,
    cast(extract(day from calendar_date) as integer) as day_of_month,
    -- The year of an ISO week is the year of its Thursday.
    cast(extract(year from week_start_date + 3) as integer) as iso_year,
    cast(extract(week from calendar_date) as integer) as iso_week,
    calendar_date - week_start_date + 1 as iso_day_of_week,
    calendar_date - week_start_date >= 5 as is_weekend
from weeks

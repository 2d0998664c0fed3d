with bought as (

    select
        household_key,
        week_start_date,
        count(distinct basket_id) as basket_count,
        sum(sales_amount_usd) as sales_amount_usd,
        sum(promoted_sales_amount_usd) as promoted_sales_amount_usd,
        sum(retail_discount_usd + coupon_match_discount_usd) as discount_usd,
        max(purchase_date) as last_purchase_date
    from {{ ref('int_retail__basket_departments_summed') }}
    group by household_key, week_start_date

),

departments as (

    select * from {{ ref('int_retail__household_departments_counted') }}

),

campaigns as (

    select
        targeted.household_key,
        {{ period_start('week', 'campaigns.start_date') }} as week_start_date,
        count(*) as campaign_count
    from {{ ref('int_retail__campaign_responses_joined') }} as targeted
    inner join {{ ref('dim_campaign') }} as campaigns on targeted.campaign_key = campaigns.campaign_key
    where targeted.is_targeted
    group by targeted.household_key, {{ period_start('week', 'campaigns.start_date') }}

),

redemptions as (

    select
        household_key,
        {{ period_start('week', 'redemption_date') }} as week_start_date,
        count(*) as redemption_count
    from {{ ref('fct_coupon_redemptions') }}
    group by household_key, {{ period_start('week', 'redemption_date') }}

),

-- A week is over when there is a purchase on its Sunday or later: from the data, not by the clock.
weeks as (

    -- DISTINCT: a week has seven days.
    select distinct week_start_date
    from {{ ref('dim_date') }}
    where week_start_date + 6 <= (select max(bought.last_purchase_date) from bought)

),

first_weeks as (

    select
        household_key,
        min(week_start_date) as first_week_start_date
    from bought
    group by household_key

),

household_weeks as (

    select
        first_weeks.household_key,
        first_weeks.first_week_start_date,
        weeks.week_start_date
    from first_weeks
    inner join weeks on first_weeks.first_week_start_date <= weeks.week_start_date

)

select
    household_weeks.household_key,
    household_weeks.week_start_date,
    (household_weeks.week_start_date - household_weeks.first_week_start_date) / 7 + 1 as week_number,
    coalesce(bought.basket_count, 0) as basket_count,
    cast(coalesce(bought.sales_amount_usd, 0) as numeric(12, 2)) as sales_amount_usd,
    cast(coalesce(bought.promoted_sales_amount_usd, 0) as numeric(12, 2)) as promoted_sales_amount_usd,
    cast(coalesce(bought.discount_usd, 0) as numeric(12, 2)) as discount_usd,
    bought.last_purchase_date,
    coalesce(departments.change_4w, 0) as department_change_4w,
    coalesce(departments.change_13w, 0) as department_change_13w,
    coalesce(departments.change_52w, 0) as department_change_52w,
    coalesce(campaigns.campaign_count, 0) as campaign_count,
    coalesce(redemptions.redemption_count, 0) as redemption_count
from household_weeks
left join bought
    on
        household_weeks.household_key = bought.household_key
        and household_weeks.week_start_date = bought.week_start_date
left join departments
    on
        household_weeks.household_key = departments.household_key
        and household_weeks.week_start_date = departments.week_start_date
left join campaigns
    on
        household_weeks.household_key = campaigns.household_key
        and household_weeks.week_start_date = campaigns.week_start_date
left join redemptions
    on
        household_weeks.household_key = redemptions.household_key
        and household_weeks.week_start_date = redemptions.week_start_date

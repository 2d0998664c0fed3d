{% set spans = [4, 13, 52] %}
{# Every window ends with the row's own week: no row knows of a later one. #}
{% set so_far = 'over (partition by household_key order by week_start_date rows unbounded preceding)' %}
{% set last = {} %}
{% for span in spans %}
    {% do last.update({
        span: 'over (partition by household_key order by week_start_date rows between '
            ~ (span - 1) ~ ' preceding and current row)'
    }) %}
{% endfor %}

with household_weeks as (

    select * from {{ ref('int_retail__household_weeks_filled') }}

),

versions as (

    select * from {{ ref('dim_household_history') }}

),

behaviour as (

    select
        household_key,
        week_number,
        week_start_date + 6 as week_end_date,
        max(last_purchase_date) {{ so_far }} as last_purchase_date,
        {% for span in spans %}
            sum(basket_count) {{ last[span] }} as basket_count_{{ span }}w,
            sum(sales_amount_usd) {{ last[span] }} as sales_amount_usd_{{ span }}w,
            sum(department_change_{{ span }}w) {{ so_far }} as department_count_{{ span }}w,
        {% endfor %}
        sum(case when basket_count > 0 then 1 else 0 end) {{ last[13] }} as active_week_count_13w,
        sum(discount_usd) {{ last[13] }} as discount_usd_13w,
        sum(promoted_sales_amount_usd) {{ last[13] }} as promoted_sales_amount_usd_13w,
        sum(campaign_count) {{ last[13] }} as campaign_count_13w,
        sum(redemption_count) {{ last[13] }} as redemption_count_13w
    from household_weeks

)

select
    {{ surrogate_key(['behaviour.household_key', iso_date('behaviour.week_end_date')]) }}
        as household_week_key,
    behaviour.household_key,
    behaviour.week_end_date,
    behaviour.week_number,
    behaviour.week_end_date - behaviour.last_purchase_date as recency_days,
    {% for span in spans %}
        cast(behaviour.basket_count_{{ span }}w as integer) as basket_count_{{ span }}w,
    {% endfor %}
    {% for span in spans %}
        cast(behaviour.sales_amount_usd_{{ span }}w as numeric(12, 2)) as sales_amount_usd_{{ span }}w,
    {% endfor %}
    {% for span in spans %}
        cast(behaviour.department_count_{{ span }}w as integer) as department_count_{{ span }}w,
    {% endfor %}
    cast(behaviour.active_week_count_13w as integer) as active_week_count_13w,
    -- A household that is younger than its window has no weeks without sales before its first.
    cast(
        1.0 * behaviour.sales_amount_usd_4w / least(behaviour.week_number, 4)
        / nullif(1.0 * behaviour.sales_amount_usd_13w / least(behaviour.week_number, 13), 0)
        as numeric(10, 4)
    ) as sales_trend,
    cast(
        behaviour.discount_usd_13w / nullif(behaviour.sales_amount_usd_13w + behaviour.discount_usd_13w, 0)
        as numeric(7, 4)
    ) as discount_share_13w,
    cast(
        behaviour.promoted_sales_amount_usd_13w / nullif(behaviour.sales_amount_usd_13w, 0) as numeric(7, 4)
    ) as promoted_sales_share_13w,
    cast(behaviour.campaign_count_13w as integer) as campaign_count_13w,
    cast(behaviour.redemption_count_13w as integer) as redemption_count_13w,
    versions.age_band,
    versions.household_size_band,
    versions.household_composition,
    versions.kids_count_band,
    versions.home_ownership,
    coalesce(versions.is_demographics_known, false) as is_demographics_known
from behaviour
-- The version that was valid as the Sunday ended.
left join versions
    on
        behaviour.household_key = versions.household_key
        and versions.valid_from < {{ utc_midnight('(behaviour.week_end_date + 1)') }}
        and versions.valid_to >= {{ utc_midnight('(behaviour.week_end_date + 1)') }}

-- How many departments a household bought from within a number of weeks is a running sum: a department counts
-- from a week with a purchase on, until it is bought again, where it counts anew, or until they are over.
{% set spans = [4, 13, 52] %}

with bought as (

    -- DISTINCT: a department counts once, however many baskets of a week have goods of it.
    select distinct
        household_key,
        department,
        week_start_date
    from {{ ref('int_retail__basket_departments_summed') }}

),

followed as (

    select
        household_key,
        week_start_date,
        lead(week_start_date) over (partition by household_key, department order by week_start_date)
            as next_date
    from bought

),

changes as (

    select
        household_key,
        week_start_date,
        1 as change_4w,
        1 as change_13w,
        1 as change_52w
    from followed
    {% for span in spans %}
        union all
        select
            household_key,
            case
                when next_date < week_start_date + {{ 7 * span }} then next_date
                else week_start_date + {{ 7 * span }}
            end as week_start_date,
            {{ -1 if span == 4 else 0 }} as change_4w,
            {{ -1 if span == 13 else 0 }} as change_13w,
            {{ -1 if span == 52 else 0 }} as change_52w
        from followed
    {% endfor %}

)

select
    household_key,
    week_start_date,
    sum(change_4w) as change_4w,
    sum(change_13w) as change_13w,
    sum(change_52w) as change_52w
from changes
group by household_key, week_start_date

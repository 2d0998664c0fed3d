{# A query with one row for each day from first to last, both included; none when either is null. #}
{% macro date_series(first_date, last_date, relation) -%}
    {{ adapter.dispatch('date_series', 'datastack')(first_date, last_date, relation) }}
{%- endmacro %}


{# Days are counted as integers: a series of timestamps would follow the session's time zone. #}
{% macro postgres__date_series(first_date, last_date, relation) -%}
    select {{ first_date }} + day_number as calendar_date
    from {{ relation }}
    cross join lateral generate_series(0, {{ last_date }} - {{ first_date }}) as series (day_number)
{%- endmacro %}


{# Numbers made of five digits, 273 years of days: generate_series runs on the leader node only. #}
{% macro redshift__date_series(first_date, last_date, relation) -%}
    {%- set digits = 'select ' ~ range(10) | join(' as digit union all select ') ~ ' as digit' %}
    {%- set number = '(d0.digit + 10 * d1.digit + 100 * d2.digit + 1000 * d3.digit + 10000 * d4.digit)' %}
    select {{ first_date }} + {{ number }} as calendar_date
    from {{ relation }}
    cross join ({{ digits }}) as d0
    cross join ({{ digits }}) as d1
    cross join ({{ digits }}) as d2
    cross join ({{ digits }}) as d3
    cross join ({{ digits }}) as d4
    where {{ number }} <= {{ last_date }} - {{ first_date }}
{%- endmacro %}

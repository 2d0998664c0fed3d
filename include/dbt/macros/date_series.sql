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

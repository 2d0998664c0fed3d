{# The first day of the ISO week (a Monday), month, quarter or year that a day lies in. #}
{% macro period_start(period, date_column) -%}
    {{ adapter.dispatch('period_start', 'datastack')(period, date_column) }}
{%- endmacro %}


{# Truncated as a timestamp without time zone: a date alone would be read in the session's. #}
{% macro postgres__period_start(period, date_column) -%}
    cast(date_trunc('{{ period }}', cast({{ date_column }} as timestamp)) as date)
{%- endmacro %}

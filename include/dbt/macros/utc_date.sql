{# The UTC day of a moment, whatever the session's time zone is. #}
{% macro utc_date(timestamp_column) -%}
    {{ adapter.dispatch('utc_date', 'datastack')(timestamp_column) }}
{%- endmacro %}


{% macro postgres__utc_date(timestamp_column) -%}
    cast({{ timestamp_column }} at time zone 'UTC' as date)
{%- endmacro %}


{# The moment at which a day begins in UTC, whatever the session's time zone is. #}
{% macro utc_midnight(date_column) -%}
    {{ adapter.dispatch('utc_midnight', 'datastack')(date_column) }}
{%- endmacro %}


{% macro postgres__utc_midnight(date_column) -%}
    cast({{ date_column }} as timestamp) at time zone 'UTC'
{%- endmacro %}

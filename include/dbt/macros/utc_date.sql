{# The UTC day of a moment, whatever the session's time zone is. #}
{% macro utc_date(timestamp_column) -%}
    {{ adapter.dispatch('utc_date', 'datastack')(timestamp_column) }}
{%- endmacro %}


{% macro postgres__utc_date(timestamp_column) -%}
    cast({{ timestamp_column }} at time zone 'UTC' as date)
{%- endmacro %}

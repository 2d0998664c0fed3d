{# A moment as text, to the microsecond in UTC, whatever the session's settings are. #}
{% macro utc_text(timestamp_column) -%}
    {{ adapter.dispatch('utc_text', 'datastack')(timestamp_column) }}
{%- endmacro %}


{% macro postgres__utc_text(timestamp_column) -%}
    to_char({{ timestamp_column }} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
{%- endmacro %}


{# A day as text, whatever the session's settings are. #}
{% macro iso_date(date_column) -%}
    {{ adapter.dispatch('iso_date', 'datastack')(date_column) }}
{%- endmacro %}


{% macro postgres__iso_date(date_column) -%}
    to_char({{ date_column }}, 'YYYY-MM-DD')
{%- endmacro %}

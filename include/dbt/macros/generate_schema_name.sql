{# The schema a model asks for, never prefixed: roles and grants belong to exactly these names. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{# One text key over several columns. Null counts as a value; the separator keeps (a, bc) from (ab, c). #}
{% macro surrogate_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(cast(" ~ column ~ " as varchar), '<null>')") -%}
    {%- endfor -%}
    {{ hash_text(parts | join(" || '|' || ")) }}
{%- endmacro %}


{# 32 hexadecimal characters. An identifier, not a protection of what went in. #}
{% macro hash_text(expression) -%}
    {{ adapter.dispatch('hash_text', 'datastack')(expression) }}
{%- endmacro %}


{% macro postgres__hash_text(expression) -%}
    md5({{ expression }})
{%- endmacro %}

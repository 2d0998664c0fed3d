{# One bigint over several columns, the same in every database and session. Null counts as a value; the
   separator keeps (a, bc) from (ab, c). Times and dates go in as `utc_text` and `iso_date`: a session's settings
   change their casts. #}
{% macro surrogate_key(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append("coalesce(cast(" ~ column ~ " as varchar), '<null>')") -%}
    {%- endfor -%}
    {{ hash_number(parts | join(" || '|' || ")) }}
{%- endmacro %}


{# The first 60 bits of a text's MD5, as a number that is never negative. An identifier, not a protection of
   what went in. Among a hundred million, the chance that any two are the same is 1 in 230. #}
{% macro hash_number(expression) -%}
    {{ adapter.dispatch('hash_number', 'datastack')(expression) }}
{%- endmacro %}


{% macro postgres__hash_number(expression) -%}
    cast(cast('x0' || left(md5({{ expression }}), 15) as bit(64)) as bigint)
{%- endmacro %}


{% macro redshift__hash_number(expression) -%}
    strtol(left(md5({{ expression }}), 15), 16)
{%- endmacro %}

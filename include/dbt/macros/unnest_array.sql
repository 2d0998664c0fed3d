{# A join that repeats a row for each element of one of its arrays; rows without elements disappear. #}
{% macro unnest_array(array_column, element_name) -%}
    {{ adapter.dispatch('unnest_array', 'datastack')(array_column, element_name) }}
{%- endmacro %}


{% macro postgres__unnest_array(array_column, element_name) -%}
    cross join lateral unnest({{ array_column }}) as elements ({{ element_name }})
{%- endmacro %}

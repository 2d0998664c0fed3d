{# Incremental models that follow the slices of one stream, as the ledger plans them.

   Such a model has `materialized: incremental`, `incremental_strategy: planned_slices` and
   `meta: {slices: {source: …, stream: …, column: …}}`. `column` is the same in what it reads and in what it
   makes: a UTC timestamp `…_at`, or a day `…_date`, which counts as the moment at which it begins in UTC. #}


{# Value of `indexes`, for the rows of a slice to be found. #}
{% macro slice_indexes(slices) -%}
    {{ return(adapter.dispatch('slice_indexes', 'datastack')(slices)) }}
{%- endmacro %}


{% macro postgres__slice_indexes(slices) -%}
    {{ return([{'columns': [slices.column]}]) }}
{%- endmacro %}


{# Has no indexes, and its adapter does not know the word. #}
{% macro redshift__slice_indexes(slices) -%}
    {{ return([]) }}
{%- endmacro %}


{# Joins a relation with the slices that are planned for its stream, so that their rows are left, each once:
   slices are disjoint. Nothing on a first build or a full refresh, which take every row. It ends the query's FROM
   and has its WHERE, with bounds of all slices, as databases plan a scan by those, and not by the slices.

   :param slices: the model's `meta.slices`.
   :param alias: name of the relation in the query.
   :param planned: `ref('stg_ledger__planned_slices')`; an argument, so that dbt sees it in the model. #}
{% macro join_planned_slices(slices, alias, planned) -%}
    {%- if is_incremental() -%}
        {%- set found = planned_slices_of(slices, planned) -%}
        inner join ({{ found }}) as planned
            on {{ lies_in_slice(alias, slices.column, 'planned') }}
        where
            {{ alias }}.{{ slices.column }}
            >= (select min({{ slice_bound(slices.column, 'found.slice_start') }}) from ({{ found }}) as found)
            and {{ alias }}.{{ slices.column }}
            < (select max({{ slice_bound(slices.column, 'found.slice_end') }}) from ({{ found }}) as found)
    {%- endif -%}
{%- endmacro %}


{# Replaces the rows of the planned slices, in dbt's transaction. What left its slice is gone from the target
   then as well; without planned slices nothing changes. #}
{% macro get_incremental_planned_slices_sql(arg_dict) %}
    {%- set slices = config.get('meta').slices -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    {%- set planned = ref('stg_ledger__planned_slices') -%}
    {#- A table, as Redshift takes no range condition on a subquery in a DELETE. It goes with the session; the
        last statement is the one whose rows dbt reports. -#}
    {%- set found = target.identifier ~ '__planned' -%}

    drop table if exists {{ found }};

    create temporary table {{ found }} as {{ planned_slices_of(slices, planned) }};

    delete from {{ target }}
    using {{ found }}
    where {{ lies_in_slice(target, slices.column, found) }};

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}


{% macro planned_slices_of(slices, planned) -%}
    select slice_start, slice_end
    from {{ planned }}
    where
        domain = '{{ model.schema | replace("build_", "") }}'
        and source = '{{ slices.source }}'
        and stream = '{{ slices.stream }}'
{%- endmacro %}


{# Half-open, and the same in every time zone. #}
{% macro lies_in_slice(relation, column, slice) -%}
    {{ relation }}.{{ column }} >= {{ slice_bound(column, slice ~ '.slice_start') }}
    and {{ relation }}.{{ column }} < {{ slice_bound(column, slice ~ '.slice_end') }}
{%- endmacro %}


{# A bound of a slice as what a column compares with: itself, or for a day the UTC time without its zone. #}
{% macro slice_bound(column, bound) -%}
    {%- if column.endswith('_date') -%}
        {{ bound }} at time zone 'UTC'
    {%- elif column.endswith('_at') -%}
        {{ bound }}
    {%- else -%}
        {%- set remedy = '; name a UTC timestamp, …_at, or a day, …_date' -%}
        {{ exceptions.raise_compiler_error(model.name ~ ': meta.slices.column is ' ~ column ~ remedy) }}
    {%- endif -%}
{%- endmacro %}

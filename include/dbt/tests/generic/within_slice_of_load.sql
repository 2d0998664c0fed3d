{# Fails for every planned load that brought a day outside of its window, where an incremental model that
   follows the stream's slices would not find it. Earlier loads were looked at when they were planned.

   :param column_name: a date of the rows.
   :param load_id: the column that names a row's load. #}
{% test within_slice_of_load(model, column_name, load_id) %}

with brought as (

    select
        {{ load_id }} as load_id,
        min({{ column_name }}) as first_date,
        max({{ column_name }}) as last_date
    from {{ model }}
    where {{ load_id }} in (select plan_loads.load_id from {{ source('ledger', 'plan_loads') }} as plan_loads)
    group by {{ load_id }}

)

select
    brought.load_id,
    brought.first_date,
    brought.last_date,
    loads.slice_start,
    loads.slice_end
from brought
inner join {{ source('ledger', 'loads') }} as loads on brought.load_id = loads.load_id
where
    {{ utc_midnight('brought.first_date') }} < loads.slice_start
    or {{ utc_midnight('brought.last_date') }} >= loads.slice_end

{% endtest %}

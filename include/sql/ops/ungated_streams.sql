-- Streams of which some loads may not be built: the loads, and the DAG and run of the newest one.
select
    loads.source,
    loads.stream,
    array_agg(loads.load_id order by loads.load_id) as load_ids,
    (array_agg(loads.dag_id order by loads.load_id desc))[1] as dag_id,
    (array_agg(loads.run_id order by loads.load_id desc))[1] as run_id
from ({loads}) as loads
inner join unnest($1::text [], $2::text []) as streams (source, stream) using (source, stream)
group by loads.source, loads.stream
order by loads.source, loads.stream

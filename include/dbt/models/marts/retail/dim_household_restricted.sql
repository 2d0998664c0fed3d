with households as (

    select * from {{ ref('stg_retail_db__households') }}

),

numbered as (

    select
        household_id,
        income,
        marital_status,
        row_number() over (partition by household_id order by valid_from desc) as version_age
    from households

)

select
    {{ surrogate_key(['household_id']) }} as household_key,
    income,
    marital_status
from numbered
where version_age = 1

with source as (

    select * from {{ source('ledger', 'planned_slices') }}

),

renamed as (

    select
        domain,
        source,
        stream,
        slice_start,
        slice_end
    from source

)

select * from renamed

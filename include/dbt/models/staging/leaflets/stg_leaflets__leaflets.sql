with source as (

    select * from {{ source('leaflets', 'leaflets') }}

),

renamed as (

    select
        key as file_path,
        media_type,
        media_type_claimed as claimed_media_type,
        bytes as size_bytes,
        sha256,
        etag,
        modified_at,
        lake_key,
        metadata
    from source
    where _deleted_at is null

)

select * from renamed

-- Take out the rows that a publication brought in.
delete from {published} as published
using {added} as added
where row({published_columns})::{added} = row({added_columns})::{added}

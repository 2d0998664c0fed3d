delete from {table}
where
    {cursor} >= $1::timestamptz
    and {cursor} < $2::timestamptz

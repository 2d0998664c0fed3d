delete from {table}
where
    {dated} >= $1::timestamptz
    and {dated} < $2::timestamptz

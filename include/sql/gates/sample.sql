select to_jsonb(failing) from ({query}) as failing limit {rows}

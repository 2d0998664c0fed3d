select extract(epoch from timestamptz '{end}' - {newest}) / 3600 from {table}

-- How many numbers are others in a type of fixed scale; one beyond its range is an error of its own.
select count(*)
from {relation}
where {value} is distinct from ({value})::{type}::numeric

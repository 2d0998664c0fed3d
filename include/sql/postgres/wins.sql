-- Whether a row takes the place of another; what was read at the same time may have been conformed again.
case
    when {new_age} <> {old_age} then {new_age} > {old_age}
    when {new_conformed_at} <> {old_conformed_at} then {new_conformed_at} > {old_conformed_at}
    else row({new_values})::record *> row({old_values})::record
end

"""Numbers by which the kernels for JSON name kinds of value, and problems."""

# Kinds of value.
MISSING, NULL, FALSE, TRUE, NUMBER, STRING, ESCAPED, OBJECT, ARRAY, ASTRAY, TEXT = range(11)
# Problems.
FINE, CUT, UNEXPECTED, CONTROL, ESCAPE, NOT_UTF8, DEEP, TWICE, NO_OBJECT, NO_RECORDS, TRAILING, BLANK = range(12)
NUL, SURROGATE = range(12, 14)
DEEPEST = 100  # levels of arrays and objects within a record
LONGEST_NAME = 4096  # bytes of a name with escapes that is told from others

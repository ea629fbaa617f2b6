"""SQLite's own functions that a query may call: pure, and none that makes a value much larger than what it is given."""

from __future__ import annotations

import re

_ALLOWED = """
abs acos asin atan atan2 avg ceil ceiling char coalesce concat concat_ws cos count cume_dist current_date current_time
current_timestamp date datetime degrees dense_rank exp first_value floor glob group_concat hex ifnull iif instr
json_array_length json_extract json_type json_valid julianday lag last_value lead length like ln log log10 log2 lower
ltrim max median min mod nth_value ntile nullif octet_length percent_rank pi pow power quote radians rank replace round
row_number rtrim sign sin sqrt strftime string_agg substr substring sum tan time timediff total trim trunc typeof
unicode unixepoch upper
"""
ALLOWED_FUNCTIONS = frozenset(re.findall(r"\w+", _ALLOWED))
"""In lower case. Left out on purpose: `load_extension`, `printf`, `format`, `zeroblob`, `randomblob`, `sqlite_*`."""

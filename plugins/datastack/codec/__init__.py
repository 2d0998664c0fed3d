"""Arrow and Postgres's binary COPY format, turned into each other by compiled kernels; checksums of rows."""

import pyarrow as pa

# Batches come and go by the thousand: glibc gives their memory again where pyarrow's own allocator asks the kernel for
# more, which costs a page fault for every 4 kB.
pa.set_memory_pool(pa.system_memory_pool())

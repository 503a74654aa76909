"""Measuring: what a candidate is worth against the unoptimized source, on this device.

Three containers of the optimization job run this, in the image that will serve. With the builds' CPU:
`baseline` (the source in float32), and `quality` (a race of all candidates, then the answers of the best on
other samples). Under the limits that will serve: `validate` (the certificate of the best).
The rules, and why each is there, are in docs/adr/0007-measuring.md and 0038-racing.md:

- a fresh process per candidate, with the session code that serves (worker.py);
- blocks of calls A B B A against the baseline, ratios per block (blocks.py);
- memory as the increment over the same process with a one-operator model (memory.py, increments.py);
- quality alone and in full batches, the worse of both counts (answers.py, by the metrics of quality.py);
- few blocks for all, more only where something is open (screening.py, candidate.py);
- choice and certification on different samples, timed in different processes (validate.py).
"""

"""Measuring: what a candidate is worth against the unoptimised source, on this device.

Three containers of the optimisation job run this, in the image that will serve. Under the limits that
will serve: `baseline` (the source in float32) and `validate` (every candidate, then the chosen one
afresh) take times and memory. With the builds' resources: `quality` computes the answers and judges
them, which no CPU limit changes.
The rules, and why each is there, are in docs/adr/0007-measuring.md:

- a fresh process per candidate, with the session code that serves (worker.py);
- blocks of calls A B B A against the baseline, ratios per block (blocks.py);
- memory as the increment over the same process with a one-operator model (memory.py, increments.py);
- quality alone and in full batches, the worse of both counts (answers.py, by the metrics of quality.py);
- choice and certification on different samples, timed in different processes (validate.py).
"""

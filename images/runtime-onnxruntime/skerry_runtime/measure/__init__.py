"""Measuring: what a candidate is worth against the unoptimised source, on this device.

Two stages of the optimisation job run here, in the image and under the CPU limit that will serve:
`baseline` (the source in float32) and `validate` (every candidate, then the chosen one afresh).
The rules, and why each is there, are in docs/adr/0007-measuring.md:

- a fresh process per candidate, with the session code that serves (worker.py);
- blocks of calls A B B A against the baseline, ratios per block (blocks.py);
- memory as the increment over the same process with a one-operator model (memory.py);
- quality alone and in full batches, the worse of both counts (quality.py);
- choice and certification on different samples and different processes (validate.py).
"""

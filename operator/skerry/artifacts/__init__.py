"""What lies in OCI registries.

`registry` is the control plane's view: names and digests, never blobs of models. `images` makes, pushes
and pulls images of plain files, and `stage` is how a job's program ends; both are for the programs in
jobs (optimizer, fetcher), whose extras bring what they import.
"""

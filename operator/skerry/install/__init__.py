"""What runs around the operator's life, as Jobs and Pods of the chart: CRDs before an upgrade, `helm test`.

`python -m skerry.install crds` and `python -m skerry.install check`, in the operator's image.
"""

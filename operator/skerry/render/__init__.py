"""Pure: decisions to Kubernetes objects, one module per kind.

Objects are plain JSON as the API server takes them. What all of them share (labels, owner, security
context) is in `parts`; the field manager and the writing are `skerry.cluster`'s.
"""

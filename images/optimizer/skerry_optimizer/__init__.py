"""What runs in an optimisation job: assess, find finished work, convert, quantise, accelerate, pack.

Flow: the containers of one pod run one after the other and share `/scratch`. `stages/` has a file
for each; `source/` reads models, `recipes/` makes candidates of them, `registry/` moves images. The
measuring between them is `skerry_runtime.measure`, in the image that will serve.
"""

BUILDING = frozenset({"convert", "quantize", "accelerate"})
"""The stages that make candidates: needless where an earlier job with the same build key made them."""

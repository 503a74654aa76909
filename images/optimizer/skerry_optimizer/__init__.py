"""What runs in an optimization job: assess, find finished work, convert, quantize, accelerate, pack.

The containers of one pod run one after the other and share `/scratch` (`skerry.jobs.scratch`). `stages/`
has a file for each that runs in this image; `models/` reads, describes and runs ONNX models; `builds`
and `evidence` keep in the registry what was built and measured. The recipes belong to the engines. The
measuring between the stages is `skerry_runtime.measure`, in the image that will serve.
"""

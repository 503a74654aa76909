"""The recipes of ONNX Runtime, a file each: how a candidate is made of the float32 source."""

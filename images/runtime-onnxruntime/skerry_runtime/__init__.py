"""The serving runtime for ONNX models: Open Inference Protocol v2 over REST."""

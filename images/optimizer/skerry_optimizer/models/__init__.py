"""Reads, describes and checks ONNX models."""

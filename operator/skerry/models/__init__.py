"""What a source is: family and what can be quantized, from counts of operators and parameters. Pure."""

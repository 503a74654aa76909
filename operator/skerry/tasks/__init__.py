"""What is asked of a model, and all that follows for data, measuring, gates and golden samples. Pure, no pydantic.

`TensorInference` is the one task there is: arrays in, arrays out. An engine names its task
(`skerry.engines.EnginePlugin.task`); text generation would be another one.
"""

from skerry.tasks.task import Figure, Form, Format, MetricRules, Task
from skerry.tasks.tensor_inference import TENSOR_INFERENCE, Metric

__all__ = ["TENSOR_INFERENCE", "Figure", "Form", "Format", "Metric", "MetricRules", "Task"]

"""How an inference is run, so that an error in the graph is raised.

`InferRequest.infer()` and `CompiledModel.__call__()` hide errors where OpenVINO has one thread, by its options or
because the machine has one CPU (2025.2 to 2026.4). The CPU plug-in then hands the graph to its executor without
the promise that would carry an error, and the executor drops what is thrown. The output tensors still hold the
previous answer. The asynchronous path has the promise whatever the number of threads is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import openvino as ov
    from numpy.typing import NDArray


def run(request: ov.InferRequest, inputs: Mapping[str, NDArray[Any]]) -> Any:
    """Compute all outputs: arrays of their own, by name and by port.

    Args:
        request: Of a compiled model; one call at a time.
        inputs: Contiguous arrays; OpenVINO reads them in place.

    Raises:
        RuntimeError: OpenVINO refuses the inputs, or a node of the graph can't be computed.
    """
    request.start_async(inputs, share_inputs=True)
    request.wait()
    return request.results

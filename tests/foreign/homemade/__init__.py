"""The engine's description: it imports one room of Skerry."""

from skerry.engines import (
    Drain,
    EnginePlugin,
    Family,
    Hardware,
    Layout,
    Metrics,
    Ports,
    Precision,
    Rank,
    Recipe,
    Server,
)

SERVER = Server(
    protocol="Plain",
    command=("python3", "-m", "homemade.server", "7000"),
    arguments=("--model", "$(SKERRY_MODEL_DIR)/model.onnx", "--name=$(SKERRY_MODEL_NAME)"),
    environment=(("HOMEMADE_THREADS", "$(SKERRY_THREADS)"),),
    ports=Ports(http=7000),
    ready="/ping",
    metrics=Metrics(7000, "/numbers"),
    drain=Drain(grace_seconds=60, wait_seconds=3),
    layout=Layout.ARTIFACT,
)

ENGINE = EnginePlugin(
    name="Reference",
    title="ONNX Reference",
    platform="reference_onnx",
    distribution="homemade",
    model_files=("model.onnx",),
    recipe_set="reference/1",
    recipes=(Recipe("rounded", Precision.FLOAT16, "homemade.code:build_rounded"),),
    order=dict.fromkeys(Family, ("rounded",)),
    loader="homemade.code:load",
    converter="homemade.code:convert",
    server=SERVER,
    ranks=(Rank(Hardware.X86, 1, "right", frozenset({Family.OTHER})),),
)

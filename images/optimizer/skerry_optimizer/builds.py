"""Built candidates in the registry, under their build key: made once, measured as often as needed.

The image `build-KEY` has a layer per candidate, which holds its files and is named by an
annotation, and one layer with what became of each recipe. The layer of the chosen candidate is the
same blob that the certified image mounts, so it is stored and pushed once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.artifacts.images import Image, Layer, pack_files
from skerry.jobs.registry import ANNOTATION_PART, ANNOTATION_RECIPE, PART_CANDIDATES, build_tag
from skerry.jobs.scratch import CANDIDATE, Workspace

if TYPE_CHECKING:
    from skerry.artifacts.images import RegistryClient
    from skerry.jobs.plans import JobPlan


def model_layer(workspace: Workspace, recipe: str) -> Layer:
    """Pack a candidate's model; the same files always give the same layer."""
    target = workspace.work / f"{recipe}.tar"
    files = {file.name: file for file in workspace.model_files(recipe)}
    return pack_files(files, target, {ANNOTATION_RECIPE: recipe})


def push_build(client: RegistryClient, workspace: Workspace, plan: JobPlan) -> str:
    """Push all candidates; return the image's digest.

    Raises:
        RegistryError: The registry was not reached, or refused.
    """
    records = {
        f"{one.recipe}/{CANDIDATE}": workspace.candidate_file(one.recipe)
        for one in workspace.read_candidates()
    }
    outcome = pack_files(
        records, workspace.work / "candidates.tar", {ANNOTATION_PART: PART_CANDIDATES}
    )
    models = [model_layer(workspace, one.recipe) for one in workspace.built_candidates()]
    digest = client.push(Image((*models, outcome)), build_tag(plan.build_key))
    for layer in (*models, outcome):
        layer.path.unlink()
    return digest


def pull_build(client: RegistryClient, workspace: Workspace, plan: JobPlan) -> int:
    """Pull the candidates of a plan's build key, if there are any.

    Returns:
        How many have a model; 0 if nothing was built yet.

    Raises:
        RegistryError: The registry was not reached, or refused.
    """
    image = client.find(build_tag(plan.build_key))
    outcome = image.annotated(ANNOTATION_PART).get(PART_CANDIDATES) if image else None
    if image is None or outcome is None:
        return 0
    client.pull(outcome, workspace.candidates)
    models = image.annotated(ANNOTATION_RECIPE)
    for recipe, layer in models.items():
        client.pull(layer, workspace.folder(recipe))
    workspace.built.touch()
    return len(models)

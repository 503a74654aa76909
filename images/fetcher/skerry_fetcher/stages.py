"""The two stages of a fetch job; what each returns is its termination message."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from skerry.api.artifact import IN_REGISTRIES, MODEL_CAR, scheme_of
from skerry.api.reasons import FetchRefusal
from skerry.artifacts.images import JOB, Image, RegistryClient, RegistryError, pack_files
from skerry.jobs.registry import ANNOTATION_BYTES, ANNOTATION_CONTENT, content_tag, version_tag
from skerry.jobs.results import FetchReport
from skerry_fetcher.contents import check_main, content_digest, placed
from skerry_fetcher.errors import RefusedError
from skerry_fetcher.layers import Contents
from skerry_fetcher.listing import Listing, RemoteFile, human
from skerry_fetcher.origins import origin_of
from skerry_fetcher.sink import too_large
from skerry_fetcher.transfer import fetch_all, patiently

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from skerry.jobs.plans import FetchPlan
    from skerry.jobs.scratch import Workspace
    from skerry_fetcher.origins import Origin

LAYER, LAYERS, CONTENTS = "layer.tar", "layers", "contents"
CAR_FOLDER = "models"
"""What KServe mounts of an image: https://github.com/kserve/kserve/pull/5558."""


def look(plan: FetchPlan, workspace: Workspace) -> str:
    """See what there is; what the registry has already is not fetched again.

    Raises:
        RefusedError: There is nothing that could be used.
    """
    listing = _pinned(plan)
    if listing is None:
        listing = patiently(origin_of(plan, workspace).look)
        if listing.files or listing.layers:
            listing = _looked(plan, listing)
    listing.write(workspace.listing)
    if listing.digest is not None:
        what = _version(listing) if listing.resolved else "what is pinned"
        return f"{what} is in the registry already"
    size = human(listing.total) if listing.total is not None else "of unknown size"
    count = len(listing.files) or len(listing.layers)
    kind = "layer" if listing.layers else "file"
    return f"{size} in {count} {kind}{'s' * (count > 1)}, {_version(listing)}"


def fetch(plan: FetchPlan, workspace: Workspace) -> str:
    """Download what `look` found, check it, and push an image of it; returns the report as JSON.

    Raises:
        RefusedError: It can't be had, or is not what is asked for.
    """
    listing = Listing.read(workspace.listing)
    if listing.digest is not None:
        return _report(plan, listing, reused=True)
    folder = workspace.files
    origin = origin_of(plan, workspace)
    if listing.layers:
        listing, files = _unpacked(origin, listing, plan, workspace)
    else:
        files = placed(plan.role, listing, plan.uri)
        fetch_all(origin, files, folder, plan.size_limit)
    check_main(plan.role, folder, plan.uri)
    paths = {file.name: folder / name for name, file in files.items()}
    content = content_digest(paths, folder=listing.folder)
    if not listing.layers:
        _check_pin(plan, content)
    total = sum(path.stat().st_size for path in paths.values())
    layer = pack_files({name: folder / name for name in files}, workspace.scratch / LAYER)
    image = Image((layer,), {ANNOTATION_CONTENT: content, ANNOTATION_BYTES: str(total)})
    digest = _push(plan, image, (content_tag(plan.role, content), _version_tag(plan, listing)))
    update = {"digest": digest, "content": content, "bytes": total}
    return _report(plan, listing.model_copy(update=update), reused=False)


def _unpacked(
    origin: Origin, listing: Listing, plan: FetchPlan, workspace: Workspace
) -> tuple[Listing, dict[str, RemoteFile]]:
    """Bring the layers in, one after the other, and lay what jobs need of them into the folder of files."""
    folder, scratch = workspace.scratch / LAYERS, workspace.scratch / CONTENTS
    below = CAR_FOLDER if scheme_of(plan.uri) == MODEL_CAR else None
    for left in (scratch, workspace.files):
        shutil.rmtree(left, ignore_errors=True)
    contents = Contents(scratch, plan.size_limit, plan.uri, below)
    for layer in listing.layers:
        fetch_all(origin, {layer.name: layer}, folder, plan.size_limit)
        contents.add(layer, folder / layer.name)
        (folder / layer.name).unlink()
    found = contents.files()
    listing = listing.model_copy(update={"files": listed(found)})
    chosen = placed(plan.role, listing, plan.uri)
    total = sum(file.size or 0 for file in chosen.values())
    if total > plan.size_limit:
        raise too_large(f"{plan.uri}, with a copy for each link,", total, plan.size_limit)
    for name, file in chosen.items():
        target = workspace.files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(found[file.name], target)
    shutil.rmtree(scratch)
    return listing.model_copy(update={"files": tuple(chosen.values())}), chosen


def listed(found: Mapping[str, Path]) -> tuple[RemoteFile, ...]:
    """Return what was unpacked; a file's own name comes before those that links give it."""
    originals: dict[Path, str] = {}
    return tuple(
        RemoteFile(
            name=name,
            size=path.stat().st_size,
            original="" if originals.setdefault(path, name) == name else originals[path],
        )
        for name, path in found.items()
    )


def _check_pin(plan: FetchPlan, content: str) -> None:
    if plan.pin is not None and content != plan.pin:
        raise RefusedError(
            FetchRefusal.WRONG_DIGEST,
            f"{plan.uri} has the digest {content}, and {plan.pin} is pinned; correct the pin, or"
            " find out who changed the file",
        )


def _pinned(plan: FetchPlan) -> Listing | None:
    """Return the pinned listing, when an earlier job fetched it: its origin may have gone since."""
    if plan.pin is None:
        return None
    if scheme_of(plan.uri) not in IN_REGISTRIES:
        return _found(plan, content_tag(plan.role, plan.pin), Listing())
    pinned = Listing(manifest=plan.pin, resolved=plan.pin)
    return _found(plan, str(_version_tag(plan, pinned)), pinned)


def _looked(plan: FetchPlan, listing: Listing) -> Listing:
    """Return the checked listing; with its image, when this very version was fetched before."""
    if not listing.layers:
        placed(plan.role, listing, plan.uri)
    if listing.total is not None and listing.total > plan.size_limit:
        raise too_large(plan.uri, listing.total, plan.size_limit)
    tag = _version_tag(plan, listing)
    found = _found(plan, tag, listing) if tag is not None else None
    if found is None:
        return listing
    if plan.pin not in {None, found.content, listing.manifest}:
        return listing
    return found


def _found(plan: FetchPlan, tag: str, listing: Listing) -> Listing | None:
    try:
        image = RegistryClient(plan.registry, patience=JOB).find(tag)
    except RegistryError as error:
        raise RefusedError(FetchRefusal.REGISTRY, str(error)) from error
    if image is None:
        return None
    marks = image.annotations
    update = {
        "digest": image.digest,
        "content": marks.get(ANNOTATION_CONTENT),
        "bytes": int(marks.get(ANNOTATION_BYTES, "0")),
    }
    return listing.model_copy(update=update)


def _push(plan: FetchPlan, image: Image, tags: tuple[str | None, ...]) -> str:
    try:
        client = RegistryClient(plan.registry, patience=JOB)
        for tag in tags:
            if tag is not None:
                client.push(image, tag)
    except RegistryError as error:
        raise RefusedError(FetchRefusal.REGISTRY, str(error)) from error
    return image.digest


def _version_tag(plan: FetchPlan, listing: Listing) -> str | None:
    version = listing.version(plan.uri, plan.endpoint)
    return None if version is None else version_tag(plan.role, version)


def _version(listing: Listing) -> str:
    return f"version {listing.resolved}" if listing.resolved else "no version known"


def _report(plan: FetchPlan, listing: Listing, *, reused: bool) -> str:
    # A private tag's image stays where it is: there are no files, and no content of its own.
    fetched = listing.content is not None
    report = FetchReport(
        digest=str(listing.digest),
        image=f"{plan.registry.address}/{plan.registry.repository}" if fetched else None,
        content=listing.content,
        resolved=listing.resolved,
        bytes=listing.bytes,
        files=len(listing.files),
        reused=reused and fetched,
    )
    return report.model_dump_json(by_alias=True, exclude_none=True)

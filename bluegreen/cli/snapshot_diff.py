"""What the manifest of one color has that the manifest of the other has not: what users get, for who reviews a release.

The snapshots of the two colors are compared, not two versions of one file. Users move from one color to the other, so this is
what changes for them; git shows how a file differs from the release before the last. Neither git nor the state is needed, and
what the live color runs is what its snapshot says, because its pods do not change in place.
"""

import difflib
from collections.abc import Iterator, Mapping

from bluegreen.release.settings import ColorSettings
from bluegreen.release.snapshot_file import with_image, written
from bluegreen.workload.manifest.application import understand

# Lines around a change.
CONTEXT = 2


def difference(old: ColorSettings, new: ColorSettings) -> str:
    """The difference between the manifests of two colors, object by object; empty if there is none, or no two manifests."""
    before, after = _texts(old), _texts(new)
    if before is None or after is None:
        return ""
    names = sorted({*before, *after})
    return "\n".join(line for name in names for line in _of_object(name, before.get(name, ""), after.get(name, "")))


def _of_object(name: str, before: str, after: str) -> Iterator[str]:
    lines = [*difflib.unified_diff(before.splitlines(), after.splitlines(), n=CONTEXT, lineterm="")][2:]
    if lines:
        yield f"# {name}"
        # The numbers of lines are those of no file.
        yield from ("@@" if line.startswith("@@") else line for line in lines)


def _texts(color: ColorSettings) -> Mapping[str, str] | None:
    """The objects that belong to a color or to its Services, each as one document with the image that the color has."""
    if color.snapshot is None:
        return None
    application, _ = understand(color)
    if application is None:
        return None
    left_out = {id(document) for document in application.left_out}
    kept = [document for document in color.snapshot.documents if id(document) not in left_out]
    objects = with_image([document.object for document in kept], str(application.web.main_container["image"]), color.image)
    return {str(document): written(item) for document, item in zip(kept, objects, strict=True)}

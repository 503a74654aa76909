"""Builds Skerry's container images without an engine and without network in a build.

Flow: `spec` reads a folder's `image.toml` -> `inputs` and `rootfs` fetch outside of the build what
the image needs (wheels, Debian packages, a root file system) into a cache -> `storage` runs buildah
over the folder and those inputs, and pushes. `builder` ties them together; `images/build.py` is the
command line.
"""

from image_build.builder import Builder, BuiltImage
from image_build.run import BuildError

__all__ = ["BuildError", "Builder", "BuiltImage"]

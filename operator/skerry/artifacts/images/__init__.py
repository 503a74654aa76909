"""Images that hold plain files: packed reproducibly, pushed to and pulled from an OCI registry.

Models, data sets and finished work travel as OCI *images*, not as artifacts of a type of their own:
only an image can be mounted as an image volume, which the kubelet pulls, verifies and caches. The
same files give the same digest wherever they are packed. `layers` makes the tar files, `image` the
manifest around them, `client` talks to the registry.
"""

from skerry.artifacts.images.client import JOB, RegistryClient, RegistryError
from skerry.artifacts.images.image import Image, RemoteImage, RemoteLayer
from skerry.artifacts.images.layers import Layer, pack_files, pack_folder, unpack

__all__ = [
    "JOB",
    "Image",
    "Layer",
    "RegistryClient",
    "RegistryError",
    "RemoteImage",
    "RemoteLayer",
    "pack_files",
    "pack_folder",
    "unpack",
]

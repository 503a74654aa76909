"""Brings a source or a data set into the registry, as an image that jobs can mount.

A job runs it twice in one pod: `look` asks the origin what there is and how much, so that people see
it at once and nothing too large or of the wrong sort is begun; `fetch` downloads, checks, packs and
pushes. What both know of each other lies on the scratch volume.
"""

"""What operator and jobs agree on: the operator writes it into a Job, the images of one release read it.

`registry` names what jobs leave in the registry for the operator and for the next job.
"""

"""What the operator and its jobs agree on. Each fact is written once, here.

The operator renders a Job and reads what it left; the images of the same release run its containers.
Both import this room. It imports the API models, and no library of an engine.

stages.py    the containers of each job: command, image, limits, program, the stage that users see
plans.py     what the operator asks of a job; it travels in an environment variable
scratch.py   where things lie in a job's pod; the files between stages are read and written here
files.py     the JSON of these files, and of what lies with the certified model
results.py   what a job's last container reports: termination messages
registry.py  tags and annotations of what jobs leave in the registry
errors.py    the error that ends a stage, and exit statuses
ending.py    the last words of a job's program
names.py     folders, file names and environment variables

No pydantic is imported by `names`, `stages`, `errors`, `ending` and `registry`: the serving runtime and
a container that has nothing to do must stay small.
"""

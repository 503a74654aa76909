"""`skerry import`: folder, data set and manifest from a model as its library saves it, and their assessment.

`kinds` is the table from a file to its importer; each importer (`contract`) has a module of its own and
imports the library's exporter when it is called. `samples` reads the user's data, `fitting` gives it the
form of the model's inputs, `choosing` chooses the metric, `writing` lays out the files, and `assessing` runs
what the operator's job would run.
"""

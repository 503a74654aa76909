"""`skerry`, also `kubectl skerry`: the state of models, in the terminal and as a page, and actions by hand.

main.py         the commands and their options; errors become two lines and an exit code
connection.py   which cluster and namespace; reading.py: the objects of a model, read once
status/         the live tree; history.py: how revisions ended
actions.py      promote, abort, undo, retry: which annotation to write, or why not
plan/           what an EdgeModel in a file would do, without touching anything
report/         one model as a self-contained HTML page
"""

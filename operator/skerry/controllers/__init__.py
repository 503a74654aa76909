"""kopf wiring: gather, decide, apply.

handlers.py     kopf's watches: note and enqueue
queue.py        EdgeModels to look at
passes.py       one pass: gather.py -> skerry.decide.plan -> apply.py
views.py        JSON of the API server to what decisions read
fleet_loop.py   nodes, classes, heartbeats, each minute
pins.py         digests of tags, asked for beside the passes
leader.py       of two operators one acts
main.py         the process
"""

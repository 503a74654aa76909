"""kopf wiring: gather, decide, apply.

handlers.py     kopf's watches: note and enqueue
queue.py        EdgeModels to look at
reconcile.py    one reconcile: gather.py -> skerry.decide.edgemodel -> writes.py -> apply.py
views.py        JSON of the API server to what decisions read; reading.py and partly.py where it is odd;
                children.py for the children of an EdgeModel
cache.py        what watches and lists have brought
fleet_loop.py   nodes and classes, each minute and when stirred
reach.py        heartbeats, each minute
pins.py         digests of tags, asked for next to the passes; lookups.py the same for finished work
refusals.py     writes that the API server refused
leader.py       of two operators one acts
main.py         the process
"""

"""Why a pod is missing or does not start.

absent.py    nodes that lack a Ready pod of a revision: which, since when, why
states.py    what scheduler, kubelet and containers say of a pod
refusals.py  Events of controllers that could not create a pod: quota, LimitRange, admission
trouble.py   whether a person must act
"""

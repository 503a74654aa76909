"""Nodes and hardware classes.

fleet.py            classes, shards and EdgeNodes of all nodes; the status of each HardwareClass
class_facts.py      what the nodes of a class have in common
device.py           what a class is to an engine; select.py: which engines suit it, in which order
taints.py           what keeps pods from a node
default_classes.py  the classes that the operator creates once
"""

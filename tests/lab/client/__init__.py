"""How the demonstration, the end-to-end tests and the benchmarks use a cluster.

environment.py  the cluster: kubectl, Helm, the registry
install.py      Skerry as a user installs it
traffic.py      steady load from pods on the nodes; load.py runs in them
timeline.py     what the traffic saw: lost requests, switches, a rollback
"""

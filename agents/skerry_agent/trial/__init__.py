"""What this node does with a model's revisions: pure, without a client, a clock or a file.

Time, health checks, answers and findings are arguments; `skerry_agent.runner` does the I/O.

- `local_model`: one EdgeModel on this node; each reconcile goes through the modules below
- `health`: which revisions answer
- `evidence`: what the guard knows of the trial, and what a new step or a set clock ends
- `machine`: the state machine of a trial, from Waiting to Passed or Failed
- `memory`: what is stored of a model, its trial and its vetoes
- `traffic`: each revision's share of the traffic, and the reason when there is none
- `smoke`: the smoke check before a candidate gets traffic
- `work`: which I/O a trial needs next, and when golden samples are replayed
- `events`: a trial's entries in the timeline
- `node_status`: the entry in EdgeNode.status
"""

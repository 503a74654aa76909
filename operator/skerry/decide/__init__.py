"""Pure decisions: a frozen `Snapshot` goes in, a `Decision` comes out. No client, no clock, no logger.

    snapshot.py     what goes in: the EdgeModel, its children, nodes, answers of the registry
    edgemodel.py    the one way in for an EdgeModel: `decide(snapshot, now)`
    build/          what is built next: fetch, assess, build with each engine, choose
    rollout/        which revision has which role on the nodes of a class
    nodes/          which class a node belongs to, and what the nodes of a class have in common
    pods/           why a pod is missing or does not start, in the words of Kubernetes
    refused.py      writes that the API server refused; unreadable.py: objects that the operator can't read
    outcome.py      what was found and decided for one target; findings.py: the conditions made of all of them
    status.py       what the EdgeModel's status says; conditions.py
    decision.py     what comes out: objects, status, events, deletions

How builds and revisions are judged is `skerry.judging`, since jobs and agents do it as well.
"""

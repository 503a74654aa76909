"""How a build and a revision are judged. Pure. The operator, the jobs and the agents use the same functions.

gates.py      measurements with their intervals against the gates of the spec
choose.py     the best build by weight among those that pass; nearest.py: what the nearest miss lacks
contest.py    the best of several engines
intervals.py  intervals of ratios, shares and medians
guard/        the device's rules: candidate against stable, one rule a file
"""

"""`skerry report`: one model as a page that needs nothing else: no script, no network, no fonts.

content.py   what the page says, class by class; advice.py: bottlenecks and recommendations
plot.py      the Pareto front as an SVG; page.py and page.html.j2: the page around it
evidence.py  raw figures that lie with the artifact, where the registry is reached
"""

"""Makes what in the chart is made from something else: its README and its Grafana board."""

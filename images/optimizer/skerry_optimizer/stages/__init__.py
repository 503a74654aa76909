"""The stages that the optimizer image runs, one file each; `skerry_optimizer.program` calls them.

Each takes the workspace and returns one line for people, which becomes its termination message.
"""

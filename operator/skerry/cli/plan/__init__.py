"""`skerry plan`: what an EdgeModel in a file would do, offline or against a cluster; nothing is written."""

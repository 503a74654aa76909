"""Drives the node's HAProxy: its configuration file, its runtime socket and its log."""

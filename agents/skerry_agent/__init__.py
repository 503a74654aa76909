"""The on-device agent: watches routes and local pods, drives the gateway, judges, reports."""

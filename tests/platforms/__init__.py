"""Platforms as fakes on loopback: they keep what they are told, and have the troubles that they are given.

fake     the server, and the troubles: 429 in each form, 5xx, an answer lost after the write, an expired token
render, railway, fly, ecs   one platform each, with `variables` for a test to look at
timeline   deploys, one after the other
staging    the service that a platform runs
"""

"""A domain of 40 x 32 points with simulated terrain, as the file of a user."""

DOMAIN = """\
name: tiny
title: tiny, 40 x 32 points of 10 km
projection: "+proj=lcc +lat_1=40 +lat_2=40 +lat_0=40 +lon_0=255 +R=6371200"
corner: {latitude: 38.0, longitude: 252.0}
spacing: 10000.0
size: {x: 40, y: 32}
terrain: simulated
land: simulated
"""

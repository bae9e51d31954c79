"""Kills, floods, full disks, lost catalogs and an object store: what the lake promises while something goes wrong."""

"""Codecs: bytes in, values out. No folders, no policy, no threads; nothing of litetui but its errors.

"FORMAT-v0.3" in these modules is the byte-exact description of SQLite's WAL and of Litestream v0.3 replicas:
https://www.sqlite.org/fileformat2.html for the WAL, https://github.com/benbjohnson/litestream for the rest.
"""

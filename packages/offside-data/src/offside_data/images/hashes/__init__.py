"""Perceptual hashes, one a file: they change little when a picture changes a little.

A module here defines

* a docstring, whose first line says what the hash looks at;
* `compute(picture) -> str`: the hash of an RGB or grey picture as hex digits; a hash of several parts joins theirs
  with commas;
* `DRAFT`: shortest side in pixels to which a JPEG may be reduced while it is decoded, because its hash then differs
  from that of the whole picture in 2 bits at most, fine textures excepted; null where it may not be reduced;
* `RADIUS`: in how many bits two hashes may differ for de-duplication to look at their pictures.
"""
